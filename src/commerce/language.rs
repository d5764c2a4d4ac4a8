//! Language: which texts stand in for which.

/// A language and those that stand in for it, nearest first: `de-AT`, `de`.
pub fn chain(language: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(language), |tag| tag.rsplit_once('-').map(|(wider, _)| wider)).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[test]
    fn a_wider_language_stands_in() {
        assert_eq!(chain("zh-Hant-TW").collect::<Vec<_>>(), ["zh-Hant-TW", "zh-Hant", "zh"]);
        assert_eq!(chain("de").collect::<Vec<_>>(), ["de"]);
        assert_eq!(chain("").count(), 0);
    }
}
