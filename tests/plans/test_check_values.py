"""Single values as ``knit`` reads them: scalars of YAML, images, quantities, instants."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.knitfab.image import complete_image
from plans.knitfab.quantity import parse_quantity
from plans.knitfab.source import CliRefused, read_plan
from plans.knitfab.tags import Tag, TagError


def read(text):
    return read_plan(text).request


class TestYaml:
    # Seen with yaml.v3 3.0.1 itself.
    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ("010, 0x1F, 1_000, 1.0e-5, .5, 1:30", ["010", "0x1F", "1_000", "1.0e-5", ".5", "1:30"]),
            ("yes, off, true, 2021-10-11", ["yes", "off", "true", "2021-10-11"]),
            ("~, null, a, ''", ["a", ""]),
            ("!!binary aGVsbG8=, !!str 5, !!float 5, !own x", ["hello", "5", "5", "x"]),
            ("&x a, *x, &x b, *x", ["a", "a", "b", "b"]),
        ],
    )
    def test_a_text_keeps_its_spelling(self, written, sent):
        assert read(f"args: [{written}]")["args"] == sent

    @pytest.mark.parametrize(("written", "sent"), [("yes", True), ("Off", False), ("'y'", True), ("null", None)])
    def test_booleans_of_yaml_1_1(self, written, sent):
        assert read(f"active: {written}")["active"] is sent

    @pytest.mark.parametrize("written", ["'true'", "1", "[]", "maybe"])
    def test_what_is_no_boolean(self, written):
        with pytest.raises(CliRefused, match="into bool"):
            read(f"active: {written}")

    def test_own_keys_win_over_merged_ones_and_the_first_merged_over_the_next(self):
        text = "a: &a {path: /a, tags: [k:a]}\nb: &b {path: /b}\n"
        assert read(text + "inputs: [{<<: [*b, *a]}, {<<: *a, path: /c}]")["inputs"] == [
            {"path": "/b", "tags": ["k:a"]},
            {"path": "/c", "tags": ["k:a"]},
        ]

    def test_all_wrong_types_are_told_at_once(self):
        with pytest.raises(CliRefused) as refusal:
            read("active: 5\nargs: a text that is long\nlog: []")
        assert refusal.value.message.splitlines()[1:] == [
            "  line 1: cannot unmarshal !!int `5` into bool",
            "  line 2: cannot unmarshal !!str `a text ...` into []string",
            "  line 3: cannot unmarshal !!seq into plans.LogPoint",
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("args: *x", "yaml: unknown anchor 'x' referenced"),
            ("a: &x {<<: *x}\nlog: *x", "yaml: anchor value contains itself"),
            ("a: b\n\tc: d", "yaml: line 2: found a tab character that violates indentation"),
            ("args: !!int x", "yaml: cannot decode !!str `x` as a !!int"),
            ("a: \x07", "yaml: control characters are not allowed"),
            ("a: " + "[" * 5000, "yaml: exceeded max depth"),
        ],
        ids=["anchor", "itself", "tab", "tag", "bell", "depth"],
    )
    def test_what_is_no_yaml(self, text, message):
        with pytest.raises(CliRefused) as refusal:
            read(text)
        assert refusal.value.message == f"fail to parse Plan file: {message}"

    @pytest.mark.parametrize("text", ["", "# nothing", "~", "---\n..."])
    def test_an_empty_file_is_a_plan_with_nothing(self, text):
        assert read(text) == {"image": "", "inputs": None, "outputs": None, "active": None}

    def test_a_line_break_spelt_out_becomes_one_on_the_way(self):
        assert read(r"inputs: [{path: /in, tags: ['k:a\nb']}]")["inputs"][0]["tags"] == ["k:a\nb"]

    def test_the_line_of_a_key_of_an_item_and_of_what_is_not_there(self):
        source = read_plan("image: ab:c\ninputs:\n  - path: /in\n    tags:\n      - a:b\n      - c:d\n")
        paths = [("image",), ("inputs",), ("inputs", 0, "tags", 1), ("inputs", 0, "other"), ("log", "tags")]
        assert [source.line(path) for path in paths] == [1, 2, 6, 3, 1]


class TestImage:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("repo:tag", "repo:tag"),
            ("repo", "repo:latest"),
            ("repo:", "repo:latest"),
            ("localhost:30503/a/b", "localhost:30503/a/b:latest"),
            ("user/repo:v1", "user/repo:v1"),
            ("docker.io/python:3", "index.docker.io/library/python:3"),
            ("[::1]:5000/repo:v1", "[::1]:5000/repo:v1"),
        ],
    )
    def test_names(self, written, meant):
        assert complete_image(written) == meant
        assert complete_image(meant) == meant

    @pytest.mark.parametrize(
        ("written", "message"),
        [
            ("", "a repository name must be specified"),
            ("x:v1", "repository must be between 2 and 255 characters in length: x"),
            ("Repo:v1", "repository can only contain"),
            ("repo@sha256:" + 64 * "a", "repository can only contain"),
            ("repo:a/b c", "repository can only contain"),
            ("repo:" + 128 * "a", "tag must be between 1 and 127 characters"),
            ("repo:v 1", "tag can only contain"),
            ("a b.c/repo:v1", "registries must be valid RFC 3986 URI authorities: a b.c"),
        ],
    )
    def test_what_is_no_name(self, written, message):
        with pytest.raises(ValueError, match=message):
            complete_image(written)


class TestQuantity:
    # The first six are examples of Kubernetes' documentation.
    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("0.5", "500m"),
            ("128974848", "128974848"),
            ("129e6", "129e6"),
            ("123Mi", "123Mi"),
            ("1024Mi", "1Gi"),
            ("16Gi", "16Gi"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("10Gi", "10Gi"),
            (" 2 ", "2"),
            ("-1", "-1"),
            ("+1", "+1"),
            ("0", "0"),
            ("-0.0Gi", "0"),
            ("100Ki", "100Ki"),
            ("0.5Ki", "512"),
            ("1E", "1E"),
            ("12e-2", "120e-3"),
            ("0.1n", "1n"),
            ("9999Ei", "9223372036854775807"),
        ],
    )
    def test_the_text_that_is_sent(self, written, sent):
        assert parse_quantity(written).text == sent

    @pytest.mark.parametrize("written", ["", "two", "1 Gi", "1,5", "1Gi2x", "+-+1"])
    def test_what_has_not_the_shape(self, written):
        with pytest.raises(ValueError, match="quantities must match the regular expression"):
            parse_quantity(written)

    @pytest.mark.parametrize("written", ["1Ki2", "1mi", "1e", "--1"])
    def test_what_has_no_suffix_that_is_known(self, written):
        with pytest.raises(ValueError, match="unable to parse quantity's suffix"):
            parse_quantity(written)

    @given(
        st.from_regex(
            r"[+-]?([0-9]{1,12}(\.[0-9]{0,6})?|\.[0-9]{1,6})(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti|e[0-9]|)", fullmatch=True
        )
    )
    def test_what_is_sent_means_the_same_and_is_sent_alike(self, written):
        quantity = parse_quantity(written)
        assert parse_quantity(quantity.text) == quantity

    @pytest.mark.parametrize(
        ("written", "amount"),
        [("500m", Fraction(1, 2)), ("1Ki", 1024), ("1k", 1000), ("-2", -2), ("1e3", 1000), ("1.5Gi", 1536 * 2**20)],
    )
    def test_amounts(self, written, amount):
        assert parse_quantity(written).amount == amount


class TestTags:
    def test_the_first_colon_divides_and_blanks_go(self):
        assert Tag.parse(" type : a:b ") == Tag("type", "a:b")

    @pytest.mark.parametrize(
        "value",
        [
            "2021-10-11T12:13:14+00:00",
            "2021-10-11T13:13:14.000+01:00",
            "2021-10-11T12:13:14Z",
        ],
    )
    def test_one_instant_is_one_tag(self, value):
        assert str(Tag.parse(f"knit#timestamp:{value}").normal()) == "knit#timestamp:2021-10-11T12:13:14+00:00"

    def test_milliseconds_stay(self):
        tag = Tag.parse("knit#timestamp:2026-11-20T10:49:48.1700009+00:00")
        assert tag.normal().value == "2026-11-20T10:49:48.17+00:00"

    @pytest.mark.parametrize("value", ["2021-10-11", "2021-10-11T12:13:14", "2021-13-11T12:13:14Z", "now", ""])
    def test_what_is_no_instant(self, value):
        with pytest.raises(TagError, match="is not timestamp"):
            Tag.parse(f"knit#timestamp:{value}")
