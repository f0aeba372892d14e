"""What every item of a shelf must do, as checks that anyone can run on an item of their own.

    import pytest
    from paredown.testing import runtimes

    import my_runtime

    @pytest.mark.parametrize("check", runtimes.CHECKS)
    def test_my_runtime(check):
        check(my_runtime)

A check is a function whose name says what is promised; it raises AssertionError with what was got and wanted.
The package's own items pass the same checks (`tests/contract/`). `networks` has tiny models for them.
"""
