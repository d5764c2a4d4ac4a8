//! Tx: what a step speaks to: one transaction, or one consistent look, of whichever engine.
//!
//! Owns    the few calls by which all steps reach a database, and the kinds of values that go in and come out.
//! Always  a statement is a text that is known while compiling, so that each engine prepares it once for each connection; values are
//!         parameters and never part of it.
//! Limits  parameters are numbers, texts, bytes and truths, each of them or none; a truth is a number where it is kept.

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, RowIndex, ToSql, params_from_iter};

use super::StoreError;

/// One transaction, or one consistent look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tx<'a> {
    /// In the file.
    Sqlite(&'a Connection),
}

/// Parameters of a statement, `?1` first.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::tx::AsParam::as_param(&$value)),*] };
}
pub(super) use params;

impl Tx<'_> {
    /// Changes rows. Gives how many.
    pub(super) fn execute(&self, sql: &'static str, values: &[Param<'_>]) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))?),
        }
    }

    /// The first row, where there is one.
    pub(super) fn one<T>(
        &self,
        sql: &'static str,
        values: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(values))?;
                rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
            }
        }
    }

    /// The row that has to be there.
    pub(super) fn only<T>(
        &self,
        sql: &'static str,
        values: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.one(sql, values, read)?.ok_or_else(|| StoreError::Corrupt(format!("a row is missing: {sql}")))
    }

    /// Every row.
    pub(super) fn all<T>(
        &self,
        sql: &'static str,
        values: &[Param<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(values))?;
                let mut all = Vec::new();
                while let Some(row) = rows.next()? {
                    all.push(read(&Row::Sqlite(row))?);
                }
                Ok(all)
            }
        }
    }

    /// Whether there is a row.
    pub(super) fn exists(&self, sql: &'static str, values: &[Param<'_>]) -> Result<bool, StoreError> {
        Ok(self.one(sql, values, |_| Ok(()))?.is_some())
    }
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Param<'a> {
    /// A number.
    Int(Option<i64>),
    /// A text.
    Text(Option<&'a str>),
    /// Bytes.
    Bytes(Option<&'a [u8]>),
    /// A truth to decide by; where one is kept it is a number.
    Bool(bool),
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Int(number) => number.map_or(ValueRef::Null, ValueRef::Integer),
            Self::Text(text) => text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => bytes.map_or(ValueRef::Null, ValueRef::Blob),
            Self::Bool(truth) => ValueRef::Integer(i64::from(truth)),
        }))
    }
}

/// What can be a parameter.
pub(super) trait AsParam {
    /// As one.
    fn as_param(&self) -> Param<'_>;
}

macro_rules! as_param {
    ($($of:ty: $value:ident => $param:expr;)*) => {
        $(impl AsParam for $of {
            fn as_param(&self) -> Param<'_> {
                let $value = self;
                $param
            }
        })*
    };
}

as_param! {
    i64: number => Param::Int(Some(*number));
    u32: number => Param::Int(Some(i64::from(*number)));
    u16: number => Param::Int(Some(i64::from(*number)));
    bool: truth => Param::Bool(*truth);
    str: text => Param::Text(Some(text));
    String: text => Param::Text(Some(text));
    [u8]: bytes => Param::Bytes(Some(bytes));
    Vec<u8>: bytes => Param::Bytes(Some(bytes));
    Option<i64>: number => Param::Int(*number);
    Option<u32>: number => Param::Int(number.map(i64::from));
    Option<&str>: text => Param::Text(*text);
    Option<String>: text => Param::Text(text.as_deref());
}

impl<T: AsParam + ?Sized> AsParam for &T {
    fn as_param(&self) -> Param<'_> {
        (**self).as_param()
    }
}

/// A row that a statement gave.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    /// Of the file.
    Sqlite(&'a rusqlite::Row<'a>),
}

impl Row<'_> {
    /// The value of a column, by its place or its name.
    pub(super) fn get<I: Column, T: Value>(&self, column: I) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
        }
    }
}

/// By what a column is found: its place from 0, or its name.
pub(super) trait Column: RowIndex {}

impl Column for usize {}
impl Column for &str {}

/// What a column can hold.
pub(super) trait Value: FromSql {}

impl Value for i64 {}
impl Value for u32 {}
impl Value for u16 {}
impl Value for bool {}
impl Value for String {}
impl Value for Vec<u8> {}
impl<T: Value> Value for Option<T> {}
