from xml.etree import ElementTree

from fer_denoise.demo import results_charts


def test_a_chart_places_its_values_between_the_marks_of_the_axis():
    chart = results_charts.line_chart("A < B", ["1", "2"], {"one": [10, 20], "two": [15, 12]}, "level", "dB")
    heights = [float(dot.get("cy")) for dot in ElementTree.fromstring(chart).iter("circle")]
    assert heights[0] > heights[3] > heights[2] > heights[1]
    assert "A &lt; B" in chart
