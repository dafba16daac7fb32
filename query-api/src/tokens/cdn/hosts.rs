//! Which hosts a CDN's settings are for.

/// A host's name, `*.` and the end of one, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    All,
    /// With its leading dot: `.example.org` has no part of `example.org`.
    Below(String),
    Exactly(String),
}

impl HostPattern {
    /// `None`: it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Some(Self::All);
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (text.as_str(), false),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '[' | ']' | ':');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            return None;
        }
        Some(if below { Self::Below(format!(".{name}")) } else { Self::Exactly(name.to_owned()) })
    }

    /// `host` as in a parsed URL: in lower case.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            Self::Exactly(name) => host == name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_all_names_below_one() {
        for (pattern, host, expected) in [
            ("*", "a.example.org", true),
            ("*.Example.org", "a.example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*.example.org", "badexample.org", false),
            ("*.example.org", "a.example.org.evil", false),
            ("cdn.example.org", "cdn.example.org", true),
            ("cdn.example.org", "a.cdn.example.org", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]", "[::1]", true),
        ] {
            let parsed = HostPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(host), expected, "{pattern} {host}");
        }
        for pattern in ["", "*.", "a*b", "**", "*.*.org", ".example.org", "a b", "a/b", "a_b"] {
            assert_eq!(HostPattern::parse(pattern), None, "{pattern}");
        }
    }
}
