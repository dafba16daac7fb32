//! The sets of tables that can hold the catalog. One is in use; the others have its tables' names with
//! a suffix.

/// All that is renamed together.
pub const TABLES: [&str; 6] = [
    "catalog_movies",
    "catalog_genres",
    "catalog_stream_sources",
    "catalog_caption_tracks",
    "movie_history",
    "catalog_contents",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableSet {
    /// What everybody reads, and the consumers write.
    Live,
    /// What a rebuild fills.
    Rebuild,
    /// What was live before the last swap.
    Previous,
    /// What was replaced as the previous one, or is on its way through a rename.
    Retired,
}

impl TableSet {
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Rebuild => "_rebuild",
            Self::Previous => "_previous",
            Self::Retired => "_retired",
        }
    }

    pub fn name(self, table: &str) -> String {
        format!("{table}{}", self.suffix())
    }

    pub fn names(self) -> [String; 6] {
        TABLES.map(|table| self.name(table))
    }
}
