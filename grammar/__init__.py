"""The grammar of the policy language, as Lark files."""
