"""The manager's side of docs/protocol/agent.md: how a host's agent is called."""
