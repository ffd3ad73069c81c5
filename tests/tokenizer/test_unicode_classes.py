"""The file of code points says what the installed `tokenizers` says."""

import unicodedata
from collections import Counter

import numpy as np
import regex

from chejil.tokenizer.pretokens import class_census, unicode_classes


def test_the_file_is_what_tokenizers_sees():
    """For all 1,114,112 code points; where this fails, `tokenizers` has another Unicode, and text is cut elsewhere."""
    stored = unicode_classes.stored()
    assert class_census.as_text(class_census.census()) == class_census.as_text(stored[:0x110000])
    assert not stored[0x110000:].any()


def test_the_kernels_table_tells_line_ends_and_the_space_apart():
    """CR and LF are no mere blanks, and of all blanks only U+0020 goes before a word of GPT-2."""
    table = unicode_classes.classes() & unicode_classes.CATEGORY_BITS
    white = np.flatnonzero(unicode_classes.stored() == unicode_classes.BLANK)
    assert Counter(table[white].tolist()) == {
        unicode_classes.BLANK: len(white) - 3, unicode_classes.NEWLINE: 2, unicode_classes.SPACE: 1,
    }  # fmt: skip


def test_where_other_unicodes_differ_they_are_of_another_edition():
    """`regex` calls 17,144 more code points letters (Unicode 17), and takes none away."""
    category = unicode_classes.stored()[:0x110000] & unicode_classes.CATEGORY_BITS
    letters = (category >= unicode_classes.UPPER) & (category <= unicode_classes.CASELESS)
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    theirs = np.zeros(0x110000, bool)
    theirs[[ord(char) for char in regex.findall(r"\p{L}", "".join(points))]] = True
    assert not (letters & ~theirs).any()
    young = theirs & ~letters
    assert all(unicodedata.category(chr(point)) == "Cn" for point in np.flatnonzero(young))
