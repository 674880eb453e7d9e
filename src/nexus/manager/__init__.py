"""The control plane: API, flows and the only writer of the database."""
