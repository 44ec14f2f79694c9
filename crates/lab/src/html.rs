//! Text in HTML and SVG.

use std::fmt::{self, Display, Write};

/// Longer texts from files are cut.
const MOST: usize = 200;

/// A text that is shown as it is, whoever wrote it: what HTML takes for its own is escaped, in elements and in quoted attributes, what would
/// change how other text is shown is a space, and what is long is cut.
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(MOST).try_for_each(|c| escape(c, f))?;
        if self.0.chars().nth(MOST).is_some() { f.write_char('…') } else { Ok(()) }
    }
}

/// A whole file, with its lines.
pub struct Lines<'a>(pub &'a str);

impl Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| if c == '\n' { f.write_char(c) } else { escape(c, f) })
    }
}

fn escape(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '&' => f.write_str("&amp;"),
        '<' => f.write_str("&lt;"),
        '>' => f.write_str("&gt;"),
        '"' => f.write_str("&quot;"),
        '\'' => f.write_str("&#39;"),
        // What turns the direction of writing would make one name look like another.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char(' '),
        c if c.is_control() => f.write_char(' '),
        c => f.write_char(c),
    }
}

/// A table: its caption, its head, its rows; the first cell of a row is its name. All cells are HTML.
pub fn table(caption: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption>{0}</caption><thead><tr>",
        Text(caption)
    );
    for (i, cell) in head.iter().enumerate() {
        // A head without a word is no head.
        let tag = if cell.is_empty() { "td" } else { "th" };
        let scope = if cell.is_empty() { "" } else { " scope=\"col\"" };
        let class = if i == 0 { " class=\"name\"" } else { "" };
        out += &format!("<{tag}{scope}{class}>{cell}</{tag}>");
    }
    out += "</tr></thead><tbody>";
    for row in rows {
        out += "<tr>";
        for (i, cell) in row.iter().enumerate() {
            out += &match i {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ => format!("<td>{cell}</td>"),
            };
        }
        out += "</tr>";
    }
    out + "</tbody></table></div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_taken_for_html() {
        let hostile = "\"><img src='http://a' onerror=alert(1)>&\u{202e}\r\n";
        let shown = "&quot;&gt;&lt;img src=&#39;http://a&#39; onerror=alert(1)&gt;&amp;   ";
        assert_eq!(Text(hostile).to_string(), shown);
        assert_eq!(Lines(hostile).to_string(), format!("{}\n", &shown[..shown.len() - 1]));
        assert_eq!(Text(&"x".repeat(1000)).to_string().chars().count(), MOST + 1);
    }
}
