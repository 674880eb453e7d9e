"""The manager's own certificate authority: who is a host, and who may command one. See docs/protocol/agent.md."""
