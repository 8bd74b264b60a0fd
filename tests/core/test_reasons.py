"""Messages of other packages become part of a message of one line, in whole sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.core.reasons import MAX_CHARACTERS, failures_in_words, message_of, plain, reason, sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it stopped", "it stopped."),
        ("It stopped.", "It stopped."),
        ("really?", "really?"),
        ("\x1b[1mbold\x1b[0m and \x1b[38;5;12mblue\x1b[m\n\tnext ", "bold and blue next."),
        ("Missing key(s):", "Missing key(s)."),
        ("", "."),
    ],
)
def test_a_sentence_ends_as_one(text: str, expected: str) -> None:
    assert sentence(text) == expected


def test_links_and_titles_of_terminals_go_too() -> None:
    assert plain("\x1b]8;;http://a.b\x1b\\here\x1b]8;;\x07 it is") == "here it is"


def test_several_lines_are_told_whole() -> None:
    error = RuntimeError("Error(s) in loading:\n\tMissing key(s): a.\n\tUnexpected key(s): b. ")
    assert reason(error) == "RuntimeError: Error(s) in loading: Missing key(s): a. Unexpected key(s): b"


def test_a_long_text_ends_with_a_sentence() -> None:
    assert message_of(ValueError("It is so. " + "word " * MAX_CHARACTERS)) == "It is so"
    words = message_of(ValueError("word " * MAX_CHARACTERS))
    assert words.endswith("word …")
    assert len(words) < MAX_CHARACTERS + 5
    assert message_of(ValueError(". " + "word " * MAX_CHARACTERS)).startswith(". word word")


def test_an_error_without_words() -> None:
    assert reason(EOFError()) == "EOFError"
    assert message_of(EOFError()) == ""


def test_of_a_trace_of_torchscript_its_cause_is_told() -> None:
    trace = "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript:\n  File x\n"
    assert reason(RuntimeError(trace + "RuntimeError: mat1 is it.\n")) == "RuntimeError: mat1 is it"
    assert reason(RuntimeError(trace.strip())).startswith("RuntimeError: The following operation")


def test_what_stopped_a_run_ends_before_what_to_do_begins() -> None:
    failures = [("best-pgd", "RuntimeError: it broke\n\there"), ("model", "ValueError: \x1b[1mno.\x1b[0m"), ("x", None)]
    assert failures_in_words(failures, Path("runs/a-1")) == (
        "best-pgd: RuntimeError: it broke here; model: ValueError: no; x: it gave no result. "
        "Finished parts are kept: `nas resume runs/a-1`"
    )


def test_a_shortened_text_keeps_the_end_of_its_last_sentence() -> None:
    assert message_of(ValueError("Is it there? " + "word " * 200)) == "Is it there?"


def test_what_torch_says_of_files_of_objects_is_which_object_it_is() -> None:
    advice = "Weights only load failed. Since 2.6, weights_only ... Unsupported global: GLOBAL os.system"
    assert message_of(RuntimeError(advice)) == (
        "it holds Python objects (os.system), which are not read because reading them can run code"
    )
    assert message_of(RuntimeError("weights_only: this is a TorchScript archive")) == (
        "it is a TorchScript archive, which holds a program"
    )
    assert message_of(RuntimeError("Weights only load failed: weights_only")) == "it is not a file of tensors"
