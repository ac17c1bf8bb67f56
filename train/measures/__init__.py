"""What `train.benchmark` measures, one file each; in `shared`, what several of them need, and the rivals.

A measurement is a module with this face:

- `FILE`: the name of its results in the folder of results;
- `HELP`: what it measures, in words;
- `WITH_PEERS`: whether published networks take part;
- `PLACE`: what its option takes, where it needs pictures of its own, else None;
- `methods()`: names of the methods of this package that it measures where none are chosen;
- `measure(request)`: measures what a `train.measures.shared.request.Request` asks for, keeps it in `FILE`, and
  returns it;
- `tables(results)`: Markdown of the results, each by the name of its marks on a page of `train.reporting.report.PAGES`.

What is a figure for each method in each of many cells is measured by `measure_cells` of `train.measures.shared.cells`
and kept by `train.reporting.results.Scores`, so that an interrupted run goes on. What is whole in itself, such as rows
in which methods are compared face by face or take turns, is kept by `save`, once `load_previous` and
`Request.lose_nothing` have found that nothing is lost by that.
"""
