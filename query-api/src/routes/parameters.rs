//! Reading query parameters, so that ALL that is wrong with them is reported at once.

use std::{borrow::Cow, fmt::Display};

use marquee_infra::http::{FieldError, Problem, ProblemCode};
use url::form_urlencoded;

/// Each parameter is taken once; what is left at the end is unknown.
pub(super) struct Parameters<'a> {
    given: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl<'a> Parameters<'a> {
    pub(super) fn of(query: &'a str) -> Self {
        let given = form_urlencoded::parse(query.as_bytes()).collect();
        Self { given, known: Vec::new(), errors: Vec::new() }
    }

    /// The parameter, if it is there and `parse` accepts it.
    pub(super) fn take<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.known.push(name);
        let mut values = self.given.extract_if(.., |(given, _)| given == name);
        let value = values.next()?.1;
        let repeated = values.next().is_some();
        drop(values);
        if repeated {
            self.error(name, "must be there once");
            return None;
        }
        parse(&value).map_err(|error| self.error(name, error)).ok()
    }

    pub(super) fn error(&mut self, name: &str, detail: impl Display) {
        let error = FieldError { pointer: name.to_owned(), detail: detail.to_string() };
        self.errors.push(error);
    }

    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let known = match self.known.as_slice() {
            [] => "there are none".to_owned(),
            known => format!("the parameters are {}", known.join(", ")),
        };
        for (name, _) in std::mem::take(&mut self.given) {
            // What a client made up is shown back only as far as it helps.
            let shown: String = name.chars().take(64).collect();
            self.error(&shown, format!("is not a parameter here; {known}"));
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Problem::new(
            ProblemCode::InvalidRequest,
            "see errors for every parameter that is not valid",
        )
        .with_errors(self.errors))
    }
}
