//! Draws horizontal bars with their lowest and highest figure, readable on light and on dark pages.

use std::fmt::Write;

use crate::statistics::Spread;

/// A chart; bars of all groups have one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The file's name.
    pub file: &'static str,
    /// What is shown.
    pub title: String,
    /// What is to be known of it: which direction is the good one.
    pub subtitle: String,
    /// Of all figures.
    pub unit: &'static str,
    /// From top to bottom.
    pub groups: Vec<Group>,
}

/// Bars under a heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The heading.
    pub label: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// To its left.
    pub label: String,
    /// Its length, and its whiskers.
    pub spread: Spread,
    /// Whether it stands out.
    pub is_ours: bool,
}

const WIDTH: f64 = 760.0;
const MARGIN: f64 = 16.0;
/// Where bars begin.
const LEFT: f64 = 170.0;
/// Where the longest whisker ends: its figure has room behind it.
const RIGHT: f64 = 630.0;
const HEAD: f64 = 62.0;
const HEADING: f64 = 26.0;
const ROW: f64 = 22.0;
const THICKNESS: f64 = 14.0;
const GAP: f64 = 10.0;

/// Colours by class, and others where the reader's page is dark.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.note{font-size:12px;fill:#59636e}.heading{font-weight:600}\
.page{fill:#fff}.ours{fill:#0969da}.theirs{fill:#afb8c1}.line{stroke:#1f2328;stroke-width:1.2}.axis{stroke:#59636e}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.page{fill:#0d1117}\
.ours{fill:#4493f8}.theirs{fill:#656c76}.line{stroke:#e6edf3}.axis{stroke:#9198a1}}";

/// The file's text.
#[must_use]
pub fn render(chart: &Chart) -> String {
    let bars = || chart.groups.iter().flat_map(|group| &group.bars);
    let most = bars().map(|bar| bar.spread.max).fold(0.0, f64::max);
    let scale = |figure: f64| {
        if most > 0.0 {
            (RIGHT - LEFT) * figure / most
        } else {
            0.0
        }
    };
    let rows = bars().map(|_| ROW).sum::<f64>();
    let headings = chart.groups.iter().map(|_| HEADING + GAP).sum::<f64>();
    let height = HEAD + rows + headings + MARGIN;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"28\">{title}</text>\n\
         <text class=\"note\" x=\"{MARGIN}\" y=\"48\">{subtitle}</text>\n",
        title = escaped(&chart.title),
        subtitle = escaped(&chart.subtitle),
    );
    let mut top = HEAD;
    for group in &chart.groups {
        let label = escaped(&group.label);
        text(&mut svg, "heading", MARGIN, top + 17.0, &label);
        top += HEADING;
        let bottom = top + group.bars.iter().map(|_| ROW).sum::<f64>();
        line(&mut svg, "axis", (LEFT, top - 2.0), (LEFT, bottom));
        for bar in &group.bars {
            draw(&mut svg, bar, top, chart.unit, &scale);
            top += ROW;
        }
        top += GAP;
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, bar: &Bar, top: f64, unit: &str, scale: &impl Fn(f64) -> f64) {
    let Spread { median, min, max } = bar.spread;
    let middle = top + ROW / 2.0;
    let class = if bar.is_ours { "ours" } else { "theirs" };
    append(
        svg,
        format_args!(
            "<text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n\
             <rect class=\"{class}\" x=\"{LEFT:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{THICKNESS}\"/>\n",
            LEFT - 8.0,
            middle + 4.5,
            escaped(&bar.label),
            middle - THICKNESS / 2.0,
            scale(median).max(1.0),
        ),
    );
    let (from, to) = (LEFT + scale(min), LEFT + scale(max));
    // Narrower ones are a blot.
    if to - from >= 2.0 {
        line(svg, "line", (from, middle), (to, middle));
        for end in [from, to] {
            line(svg, "line", (end, middle - 4.0), (end, middle + 4.0));
        }
    }
    let figure = format!("{} {unit}", rounded(median));
    text(svg, "", to + 8.0, middle + 4.5, &escaped(&figure));
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    append(
        svg,
        format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n"),
    );
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    append(
        svg,
        format_args!(
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
            from.0, from.1, to.0, to.1
        ),
    );
}

fn append(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // A String takes everything.
    svg.write_fmt(element).ok();
}

/// Three figures that count.
#[must_use]
pub fn rounded(figure: f64) -> String {
    let decimals = match figure.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{figure:.decimals$}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(bars: Vec<Bar>) -> Chart {
        Chart {
            file: "chart.svg",
            title: "Fast & far".into(),
            subtitle: "more is better".into(),
            unit: "MiB/s",
            groups: vec![Group {
                label: "50 ms".into(),
                bars,
            }],
        }
    }

    fn bar(label: &str, median: f64, min: f64, max: f64) -> Bar {
        Bar {
            label: label.into(),
            spread: Spread { median, min, max },
            is_ours: label == "s3-to-sftp",
        }
    }

    #[test]
    fn the_highest_figure_of_all_is_the_scale() {
        let svg = render(&chart(vec![
            bar("s3-to-sftp", 200.0, 190.0, 230.0),
            bar("sftp", 23.0, 23.0, 23.0),
        ]));
        // 460 pixels are 230.
        assert!(svg.contains("class=\"ours\" x=\"170.0\""), "{svg}");
        assert!(svg.contains("width=\"400.0\""), "{svg}");
        assert!(svg.contains("width=\"46.0\""), "{svg}");
        assert!(svg.contains("x1=\"550.0\""), "{svg}");
        assert!(svg.contains(">200 MiB/s<") && svg.contains(">23.0 MiB/s<"));
        assert!(svg.contains("Fast &amp; far"));
        assert!(svg.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn one_round_has_no_whiskers() {
        let svg = render(&chart(vec![bar("sftp", 23.0, 23.0, 23.0)]));
        assert_eq!(svg.matches("class=\"line\"").count(), 0);
        assert!(!render(&chart(vec![])).contains("NaN"));
    }
}
