"""Captured packets through the classifier and the decoders that run on the NIC's traffic.

Names are imported from its modules: what reads capture files is none of the daemon's.
"""
