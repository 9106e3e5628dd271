//! What `make bench` measured: bench/results/runs.csv.

use crate::page::read;

pub(crate) struct Runs {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Runs {
    pub(crate) fn read() -> Self {
        Self::of(&read("bench/results/runs.csv"))
    }

    pub(crate) fn of(text: &str) -> Self {
        let cells = |line: &str| line.split(',').map(str::to_owned).collect();
        let mut lines = text.lines().map(cells);
        Self {
            heading: lines.next().expect("a heading"),
            rows: lines.collect(),
        }
    }

    /// The median of a column over the rounds; none where the program does not do this workload.
    pub(crate) fn median(&self, workload: &str, tool: &str, column: &str) -> Option<f64> {
        self.median_of(workload, tool, |cell| cell(column))
    }

    /// The median of what is made of each round's cells.
    pub(crate) fn median_of(
        &self,
        workload: &str,
        tool: &str,
        figure: impl Fn(&dyn Fn(&str) -> f64) -> f64,
    ) -> Option<f64> {
        let rounds = self
            .rows
            .iter()
            .filter(|row| row[0] == workload && row[1] == tool);
        let mut figures: Vec<f64> = rounds
            .map(|row| {
                figure(&|column: &str| {
                    let at = self.heading.iter().position(|it| it == column);
                    let cell = &row[at.unwrap_or_else(|| panic!("no column {column}"))];
                    cell.parse().expect("a number")
                })
            })
            .collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        match figures.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(figures[middle]),
            _ => Some((figures[middle - 1] + figures[middle]) / 2.0),
        }
    }
}

#[test]
fn a_median_is_that_of_one_program_at_one_workload() {
    let runs =
        Runs::of("workload,tool,files,wall_s\na,x,2,4\na,x,2,1\na,y,2,9\nb,x,2,9\na,x,2,2\n");
    assert_eq!(runs.median("a", "x", "wall_s"), Some(2.0));
    assert_eq!(runs.median("b", "y", "wall_s"), None);
    let rate = |cell: &dyn Fn(&str) -> f64| cell("files") / cell("wall_s");
    assert_eq!(runs.median_of("a", "x", rate), Some(1.0));
    let two = Runs::of("workload,tool,files,wall_s\na,x,2,4\na,x,2,1\n");
    assert_eq!(two.median("a", "x", "wall_s"), Some(2.5));
}
