//! Markdown tables, a row at a time: to be watched while they grow, and pasted into docs/benchmarks.md.

pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    pub fn begin(title: &str, columns: &[&str]) -> Self {
        let table = Self { widths: columns.iter().map(|name| name.len().max(5)).collect() };
        println!("\n### {title}\n");
        table.row(columns);
        println!("|{}", "---|".repeat(columns.len()));
        table
    }

    pub fn row(&self, cells: &[impl AsRef<str>]) {
        let cells = cells.iter().map(AsRef::as_ref).zip(&self.widths);
        let cells = cells.map(|(cell, width)| format!("| {cell:<width$} "));
        println!("{}|", cells.collect::<String>());
    }
}

/// With a comma between thousands.
pub fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    AtLeast(f64),
    AtMost(f64),
}

impl Budget {
    /// The figure, what it has to be, and whether it is; one that is missed stands out.
    pub fn judge(budget: Option<Self>, figure: f64) -> String {
        match budget {
            Some(Self::AtLeast(least)) if figure >= least => format!("{figure:.2} (>= {least})"),
            Some(Self::AtMost(most)) if figure <= most => format!("{figure:.2} (<= {most})"),
            Some(Self::AtLeast(least)) => format!("**{figure:.2}** (missed: >= {least})"),
            Some(Self::AtMost(most)) => format!("**{figure:.2}** (missed: <= {most})"),
            None => format!("{figure:.2}"),
        }
    }
}
