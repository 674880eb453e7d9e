"""The command line; it talks to the platform only through nexus.client, and starts things through nexus.local."""
