"""Who may do what: actors, tokens, and the rule every route declares."""

from nexus.manager.access.models import Actor, Role, visible_to
from nexus.manager.access.rules import Admin, HostAgent, Operator, Public, Viewer
from nexus.manager.access.service import Access

__all__ = ["Access", "Actor", "Admin", "HostAgent", "Operator", "Public", "Role", "Viewer", "visible_to"]
