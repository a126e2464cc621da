"""Tenants of a workspace: a folder and a system for each, the move of an older workspace, and their removal.

All that a tenant has lies in its own folder: table, ledger, caches, conversations, answers, traces, audit log. The
home tenant (``default``) has the workspace's folder itself. Accounts, tokens and jobs are the service's.
"""

from roma_core.tenants.layout import bring_layout_up_to_date
from roma_core.tenants.pool import TenantPool
from roma_core.tenants.profile import TenantProfile, apply_tenant_settings, create_tenant, list_profiles, set_tenant

__all__ = [
    "TenantPool",
    "TenantProfile",
    "apply_tenant_settings",
    "bring_layout_up_to_date",
    "create_tenant",
    "list_profiles",
    "set_tenant",
]
