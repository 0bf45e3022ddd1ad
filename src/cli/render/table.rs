//! Tables: columns as wide as what stands in them.

/// Lines of columns, two spaces between them, each line without spaces at its end.
pub fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(str::to_owned);
    let lines = || std::iter::once(&header).chain(rows);
    let width = |column: usize| lines().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines() {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let rows = [["blüte".to_owned(), String::new()], ["x".to_owned(), "1".to_owned()]];
        assert_eq!(table(["NAME", "N"], &rows), "NAME   N\nblüte\nx      1\n");
        assert_eq!(table(["NAME", "N"], &[]), "NAME  N\n");
    }
}
