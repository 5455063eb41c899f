"""Every public name has an example that is true."""

import doctest
import inspect

import pytest

import ecg_edge

CONSTANTS = {"BASIS", "LEADS"}
"""A tuple has no docstring of its own: the package's example shows them."""


@pytest.mark.parametrize("name", [None, *sorted(set(ecg_edge.__all__) - CONSTANTS)])
def test_an_example_that_holds(name):
    thing = ecg_edge if name is None else getattr(ecg_edge, name)
    finder = doctest.DocTestFinder(recurse=False)
    module = ecg_edge if name is None else inspect.getmodule(thing)
    (found,) = finder.find(thing, name or "ecg_edge", module=module, globs={"__name__": "__main__"})
    assert found.examples, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF, verbose=False)
    said = []
    runner.run(found, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", sorted(CONSTANTS))
def test_the_others_are_named(name):
    assert f"ee.{name}" in ecg_edge.__doc__


@pytest.mark.parametrize("name", sorted(set(ecg_edge.__all__) - CONSTANTS))
def test_a_docstring_of_numpydoc(name):
    thing = getattr(ecg_edge, name)
    text = inspect.getdoc(thing)
    assert text and text.splitlines()[0].endswith((".", ":")), name
    if inspect.isfunction(thing) and inspect.signature(thing).parameters:
        assert "Parameters\n----------" in text, name
        for parameter in inspect.signature(thing).parameters:
            assert parameter in text, (name, parameter)
    if inspect.isfunction(thing):
        assert "Examples\n--------" in text, name
