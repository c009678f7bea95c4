"""What self-contained HTML pages are made of: no library, no script, nothing to load."""
