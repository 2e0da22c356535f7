"""Runs captured packets through the classifier and decoders that the NIC's traffic takes.

Names are imported from its modules: what reads capture files is none of the daemon's.
"""
