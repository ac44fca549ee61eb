"""The picture is well-formed, and each point is where it belongs."""

from xml.etree import ElementTree

from tests.soak.plot import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, Line, svg

SVG = "{http://www.w3.org/2000/svg}"


def test_points_lie_between_the_axes_and_what_is_larger_is_higher() -> None:
    picture = svg("A & B", "minutes", "MiB", [Line([(0, 0), (15, 50), (30, 90)], "red")], (25, 30))
    root = ElementTree.fromstring(picture)
    [line] = root.iter(f"{SVG}polyline")
    points = [tuple(map(float, each.split(","))) for each in line.attrib["points"].split()]
    assert points[0] == (LEFT, HEIGHT - BOTTOM)
    assert points[-1][0] == WIDTH - RIGHT
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"A & B", "0", "20", "80", "30"} <= set(texts)


def test_the_stretch_is_shaded() -> None:
    picture = svg("", "", "", [Line([(0, 1), (10, 1)], "red")], (5, 10))
    boxes = list(ElementTree.fromstring(picture).iter(f"{SVG}rect"))
    assert float(boxes[1].attrib["width"]) == (WIDTH - LEFT - RIGHT) / 2
