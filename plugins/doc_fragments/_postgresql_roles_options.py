# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # In step with plugins/module_utils/_module/postgresql_roles.py
    DOCUMENTATION = r"""
options:
  roles:
    description:
      - The roles. An attribute that is not declared is left as it is, and has PostgreSQL's default in a new role.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role, 63 bytes at most. Every character is allowed.
        type: str
        required: true
      state:
        description:
          - With V(absent) the role's privileges and memberships are revoked in all databases and it is dropped.
          - Refused for a role that owns something, with a list of what it owns.
        type: str
        choices: [present, absent]
        default: present
      login:
        description: Whether the role can log in.
        type: bool
      superuser:
        description: Whether the role passes all checks.
        type: bool
      createdb:
        description: Whether the role can create databases.
        type: bool
      createrole:
        description: Whether the role can create roles.
        type: bool
      inherit:
        description: Whether the role has the privileges of roles it is a member of without C(SET ROLE).
        type: bool
      replication:
        description: Whether the role can start replication.
        type: bool
      bypassrls:
        description: Whether the role passes by row-level security.
        type: bool
      connection_limit:
        description: Number of concurrent connections; V(-1) means no limit.
        type: int
      valid_until:
        description:
          - Moment from which the password is not accepted any more, such as V(2027-01-31) or
            V(2027-01-31T18:00:00+01:00), or V(infinity). A date is its first moment, and UTC where no offset is given.
        type: str
      password:
        description:
          - Password in clear, from a vault, or a SCRAM-SHA-256 verifier as C(pg_authid) holds it.
          - See O(password_minimum_length) and O(password_minimum_classes). It must not contain the role's name. An md5
            hash is refused.
        type: str
      update_password:
        description:
          - With V(always) the password is set whenever the stored one is another, is stored as md5, or has fewer
            iterations than O(scram_iterations). This needs a login that may read C(pg_authid), a superuser as a rule.
          - With V(on_create) it is the first password only.
        type: str
        choices: [always, on_create]
        default: always
      passwordless:
        description: Takes a stored password away, for roles that log in by C(peer), certificate or LDAP.
        type: bool
        default: false
      human:
        description: The role belongs to a person. It must have a O(roles[].valid_until) other than V(infinity).
        type: bool
        default: false
      comment:
        description: Comment on the role. An empty string takes it away.
        type: str
      settings:
        description:
          - Parameters with a value of their own for this role, as by C(ALTER ROLE ... SET). V(null) resets one.
          - Parameters that are not named are left as they are.
        type: dict
      database_settings:
        description: Names of databases, and for each the same as O(roles[].settings), for sessions in that database.
        type: dict
      member_of:
        description:
          - Roles this one is a member of. Each a name, or a dictionary with the key C(role) and any of C(admin),
            C(inherit) and C(set).
          - Before PostgreSQL 16 there is only C(admin), and the others are refused.
          - An option that is not declared is left as it is.
        type: list
        elements: raw
  databases:
    description:
      - Databases with what is declared in them. Several entries may speak of the same database by way of wildcards.
      - Here and below, C(*) in a name stands for any characters, C(\*) for an asterisk. Wildcards never reach schemas
        of the system, nor objects that belong to an extension; those have to be named.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database. Wildcards pass by databases that take no connections (C(template0)).
        type: str
        required: true
      owner:
        description: The role that owns the database.
        type: str
      grants:
        description: Privileges. Each entry is granted on all its objects to all its roles.
        type: list
        elements: dict
        suboptions:
          to:
            description: Roles, or V(PUBLIC).
            type: list
            elements: str
            required: true
          privileges:
            description: Names such as V(SELECT), or V(ALL). V(MAINTAIN) needs PostgreSQL 17.
            type: list
            elements: str
            required: true
          type:
            description:
              - Type of the objects. Views, materialized views and foreign tables are tables; functions, procedures and
                aggregates are routines; domains are types.
            type: str
            choices:
              - database
              - schema
              - table
              - sequence
              - routine
              - type
              - language
              - foreign_data_wrapper
              - foreign_server
            default: database
          schemas:
            description:
              - Schemas in which O(databases[].grants[].names) are looked for. Needed for what lives in a schema.
            type: list
            elements: str
          names:
            description:
              - Names of the objects; V(*) for all. Needed for all types but V(database).
              - A routine without arguments in parentheses means all of that name, C(calc(integer, text)) means one.
                Types that are not PostgreSQL's own are written with their schema.
            type: list
            elements: str
          columns:
            description: Columns, where privileges are on columns of tables only.
            type: list
            elements: str
          grant_option:
            description: Whether they may be passed on. Left as it is where it is not declared.
            type: bool
          state:
            description: With V(absent) the privileges are revoked, V(PUBLIC)'s implicit ones too.
            type: str
            choices: [present, absent]
            default: present
      default_privileges:
        description: Privileges on objects that a role makes from now on.
        type: list
        elements: dict
        suboptions:
          owner:
            description: The role that makes the objects.
            type: str
            required: true
          to:
            description: Roles, or V(PUBLIC).
            type: list
            elements: str
            required: true
          privileges:
            description: As in O(databases[].grants[].privileges).
            type: list
            elements: str
            required: true
          type:
            description: Type of the objects.
            type: str
            choices: [table, sequence, routine, type, schema]
            required: true
          schemas:
            description: Only for objects in these schemas. Without it for all of the database.
            type: list
            elements: str
          grant_option:
            description: As in O(databases[].grants[].grant_option).
            type: bool
          state:
            description: With V(absent) they are revoked, such as V(EXECUTE) on routines from V(PUBLIC).
            type: str
            choices: [present, absent]
            default: present
      ownership:
        description: Owners of objects. A sequence that belongs to a table follows its table.
        type: list
        elements: dict
        suboptions:
          owner:
            description: The role that owns them.
            type: str
            required: true
          type:
            description: Type of the objects, as in O(databases[].grants[].type).
            type: str
            choices: [schema, table, sequence, routine, type, language, foreign_data_wrapper, foreign_server]
            required: true
          schemas:
            description: As in O(databases[].grants[].schemas).
            type: list
            elements: str
          names:
            description: As in O(databases[].grants[].names).
            type: list
            elements: str
  exclusive:
    description:
      - Revoke what is not declared. C(planned_revocations) in the result lists it, in check mode too.
      - "In declared databases: privileges of all roles and of V(PUBLIC) on the database, on all schemas and on all
        objects in them, and default privileges. What V(PUBLIC) has without any grant counts: C(CONNECT) and
        C(TEMPORARY) on databases, C(EXECUTE) on routines, C(USAGE) on types."
      - "Of declared roles: their memberships, their members, the C(ADMIN OPTION) where C(admin) is not declared, and
        the attributes V(superuser), V(createdb), V(createrole), V(replication) and V(bypassrls) where they are not
        declared."
      - Passed by are owners, schemas of the system, objects of extensions, and the implicit membership that PostgreSQL
        16 gives to the creator of a role.
      - Nothing is taken from the role that logs in, the bootstrap superuser, predefined roles (C(pg_*)), replication
        roles and O(protected_roles). Roles are never dropped by it.
    type: bool
    default: false
  maximum_revocations:
    description: Refuse the run when O(exclusive) would make more revocations than this.
    type: int
    default: 50
  protected_roles:
    description: Further roles that O(exclusive) takes nothing from, and that are never dropped.
    type: list
    elements: str
    default: []
  password_minimum_length:
    description: Shortest password accepted, in characters; at least V(8).
    type: int
    default: 12
  password_minimum_classes:
    description: How many of lower case, upper case, digits and other characters a password has to use.
    type: int
    default: 3
  scram_iterations:
    description: Iterations of new verifiers; at least V(4096). Stored ones with fewer are renewed.
    type: int
    default: 4096
  expiry_warning_days:
    description: Warn about roles whose declared O(roles[].valid_until) is past or not further away than this.
    type: int
    default: 14
  lock_timeout:
    description: Seconds to wait for another run to finish, and for a lock on an object whose owner changes.
    type: int
    default: 60
  diagram:
    description: Return a picture of the hierarchy in this language, as C(diagram) in the result.
    type: str
    choices: [mermaid, dot]
"""
