"""The web UI's files, built from `ui/` into `site/` beside this module, and how they are served."""
