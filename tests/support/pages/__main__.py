"""`PYTHONPATH=tests python -m support.pages` writes the reference pages of docs/ anew."""

from support import settings_reference
from support.pages.all import PAGES

for path, made in PAGES.items():
    path.parent.mkdir(exist_ok=True)
    path.write_text(made())
settings_reference.PAGE.write_text(settings_reference.page())
settings_reference.SCHEMA.write_text(settings_reference.schema_text())
