//! Tx: what a step speaks to: one transaction, or one consistent look, of whichever engine.
//!
//! Owns    the few calls by which all steps reach a database, and the kinds of values that go in and come out.
//! Always  a statement is a text that is known while compiling, so that each engine prepares it once for each connection; values are
//!         parameters and never part of it.
//! Limits  parameters are numbers, texts, bytes and truths, each of them or none; a truth is a number where it is kept.

use bytes::BytesMut;
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, RowIndex, ToSql, params_from_iter};
use tokio_postgres::types::{IsNull, Type};

use super::StoreError;
use super::postgres::session::Session;

/// One transaction, or one consistent look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tx<'a> {
    /// In the file.
    Sqlite(&'a Connection),
    /// On a connection.
    Postgres(&'a Session),
}

/// Parameters of a statement, `?1` first.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::store::tx::AsParam::as_param(&$value)),*] };
}
pub(super) use params;

impl Tx<'_> {
    /// Whether others write at the same time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The words of the engine, where there are none that all understand.
    pub(super) fn in_words(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Locks rows before the next statement, where others write at the same time.
    pub(super) fn lock(&self, sql: &'static str, values: &[Param<'_>]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(session) => session.lock(sql, values),
        }
    }

    /// Changes rows. Gives how many.
    pub(super) fn execute(&self, sql: &'static str, values: &[Param<'_>]) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))?),
            Self::Postgres(session) => session.execute(sql, values),
        }
    }

    /// The first row, where there is one.
    pub(super) fn query_opt<T>(
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
            Self::Postgres(session) => session.rows(sql, values)?.first().map(|row| read(&Row::Postgres(row))).transpose(),
        }
    }

    /// The row that has to be there.
    pub(super) fn query_one<T>(
        &self,
        sql: &'static str,
        values: &[Param<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.query_opt(sql, values, read)?.ok_or_else(|| StoreError::Corrupt(format!("a row is missing: {sql}")))
    }

    /// Every row.
    pub(super) fn query<T>(
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
            Self::Postgres(session) => session.rows(sql, values)?.iter().map(|row| read(&Row::Postgres(row))).collect(),
        }
    }

    /// Whether there is a row.
    pub(super) fn exists(&self, sql: &'static str, values: &[Param<'_>]) -> Result<bool, StoreError> {
        Ok(self.query_opt(sql, values, |_| Ok(()))?.is_some())
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

impl Param<'_> {
    /// What PostgreSQL calls its kind.
    pub(super) fn kind(&self) -> Type {
        match self {
            Self::Int(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
            Self::Bool(_) => Type::BOOL,
        }
    }
}

impl tokio_postgres::types::ToSql for Param<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Int(number) => tokio_postgres::types::ToSql::to_sql(number, kind, out),
            Self::Text(text) => tokio_postgres::types::ToSql::to_sql(text, kind, out),
            Self::Bytes(bytes) => tokio_postgres::types::ToSql::to_sql(bytes, kind, out),
            Self::Bool(truth) => tokio_postgres::types::ToSql::to_sql(truth, kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA, Type::BOOL].contains(kind)
    }

    tokio_postgres::types::to_sql_checked!();
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
    /// Of the database.
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of a column, by its place or its name.
    pub(super) fn get<I: Column, T: Value>(&self, column: I) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => {
                let strange = || StoreError::Corrupt(format!("column `{column}` is not what it should be"));
                let cell: Cell<'_> = row.try_get(column).map_err(|_| strange())?;
                T::of(cell).ok_or_else(strange)
            }
        }
    }
}

/// By what a column is found: its place from 0, or its name.
pub(super) trait Column: RowIndex + tokio_postgres::row::RowIndex + std::fmt::Display + Copy {}

impl Column for usize {}
impl Column for &str {}

/// What PostgreSQL sent for a column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    /// Nothing.
    Null,
    /// A number or a truth.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> tokio_postgres::types::FromSql<'a> for Cell<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::BOOL => Self::Int(i64::from(bool::from_sql(kind, raw)?)),
            Type::INT4 => Self::Int(i64::from(i32::from_sql(kind, raw)?)),
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::BYTEA => Self::Bytes(<&[u8]>::from_sql(kind, raw)?),
            _ => Self::Text(<&str>::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::BOOL, Type::INT4, Type::INT8, Type::BYTEA, Type::TEXT, Type::VARCHAR, Type::NAME].contains(kind)
    }
}

/// What a column can hold.
pub(super) trait Value: FromSql {
    /// The value of a cell; `None`: it is none of these.
    fn of(cell: Cell<'_>) -> Option<Self>
    where
        Self: Sized;
}

macro_rules! value {
    ($($of:ty: $cell:pat => $value:expr;)*) => {
        $(impl Value for $of {
            fn of(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    $cell => $value,
                    _ => None,
                }
            }
        })*
    };
}

value! {
    i64: Cell::Int(number) => Some(number);
    u32: Cell::Int(number) => u32::try_from(number).ok();
    u16: Cell::Int(number) => u16::try_from(number).ok();
    bool: Cell::Int(number) => Some(number != 0);
    String: Cell::Text(text) => Some(text.to_owned());
    Vec<u8>: Cell::Bytes(bytes) => Some(bytes.to_vec());
}

impl<T: Value> Value for Option<T> {
    fn of(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::of(cell).map(Some),
        }
    }
}
