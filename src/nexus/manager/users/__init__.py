"""People who sign in: login, logout, me, and the first user."""
