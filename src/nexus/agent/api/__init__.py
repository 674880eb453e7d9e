"""The agent's HTTP interface (docs/protocol/agent.md)."""
