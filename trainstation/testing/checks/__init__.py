"""What `trainstation.testing.check_optimizer` checks: a file a family, each check a function of a `Subject`.

A check returns a note about what it left out (usually ""), raises `NotApplicable`, or fails.
"""
