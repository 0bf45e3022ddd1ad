//! The copy of the log that is an `SQLite` database.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Params};

use crate::host::require_file;
use crate::state::AuditHead;

use super::query::Filter;
use super::record;
use super::{Error, journal};

/// `vsaA`, so that `file` and we can tell what it is.
const APPLICATION: i32 = 0x7673_6141;

/// The version of the tables.
const TABLES: i32 = 1;

/// The record is kept once, as its line; what is asked for is derived from it, so that no column can say anything
/// else than the record.
pub(super) const SCHEMA: &str = "CREATE TABLE record (
  seq INTEGER PRIMARY KEY,
  line TEXT NOT NULL,
  time TEXT AS (line ->> '$.time'),
  run TEXT AS (line ->> '$.run'),
  user TEXT AS (line ->> '$.actor.user'),
  host TEXT AS (line ->> '$.actor.host'),
  command TEXT AS (line ->> '$.command'),
  arguments TEXT AS (line -> '$.arguments'),
  event TEXT AS (line ->> '$.event'),
  resource TEXT AS (line ->> '$.resource'),
  action TEXT AS (line ->> '$.action'),
  result TEXT AS (line ->> '$.result'),
  exit_code INTEGER AS (line ->> '$.exit_code'),
  detail TEXT AS (line ->> '$.detail'),
  previous TEXT AS (line ->> '$.previous'),
  hash TEXT AS (line ->> '$.hash')
)";

const INDEXES: &str = "
CREATE INDEX record_time ON record (time);
CREATE INDEX record_command ON record (command);
CREATE INDEX record_resource ON record (resource) WHERE resource IS NOT NULL;
";

/// How long a reader of the database is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// The database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens it, or makes it. The caller holds the log's lock.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        journal::make_parent(path)?;
        if path.exists() {
            require_file(path).map_err(Error::io("open", path))?;
        }
        // SQLite gives its side files the mode of the database.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(journal::FILE_MODE)
            .open(path)
            .map_err(Error::io("open", path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Self::connect(path, path, flags)?;
        database
            .prepare_tables()
            .map_err(Error::database(path))
            .and_then(|known| if known { Ok(()) } else { Err(Error::Foreign { path: path.to_owned() }) })?;
        Ok(database)
    }

    /// Opens it to read only; `None` where there is none.
    pub(super) fn open_read_only(path: &Path) -> Result<Option<Self>, Error> {
        if !path.exists() {
            return Ok(None);
        }
        require_file(path).map_err(Error::io("open", path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Self::connect(path, path, flags)?;
        let has_tables = match database.has_tables() {
            // Nobody writes it now, so it has no side files, and they cannot be made in a directory of somebody else's.
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) =>
            {
                let name = format!("file:{}?immutable=1", escaped(path));
                let database = Self::connect(Path::new(&name), path, flags | OpenFlags::SQLITE_OPEN_URI)?;
                return Ok(database.has_tables().map_err(Error::database(path))?.then_some(database));
            }
            has_tables => has_tables.map_err(Error::database(path))?,
        };
        Ok(has_tables.then_some(database))
    }

    fn connect(name: &Path, path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let connect = || {
            let connection = Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(BUSY)?;
            Ok(connection)
        };
        let connection = connect().map_err(Error::database(path))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn has_tables(&self) -> rusqlite::Result<bool> {
        self.connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| Ok(row.get::<_, i64>(0)? > 0))
    }

    /// Makes the tables in an empty database; gives whether they are those that this vsa knows.
    fn prepare_tables(&self) -> rusqlite::Result<bool> {
        let connection = &self.connection;
        // The file of lines is the copy that is synced at once: rows that a power cut takes are copied from it again.
        // Folding the side file in when the database is closed costs two more syncs, so only some runs do it.
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
        if self.has_tables()? {
            return Ok(number("application_id")? == APPLICATION && number("user_version")? == TABLES);
        }
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(&format!(
            "BEGIN; {SCHEMA}; {INDEXES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {TABLES}; COMMIT;"
        ))?;
        Ok(true)
    }

    /// Makes closing it fold its side files into the one file.
    pub(super) fn fold_on_close(&self) -> Result<(), Error> {
        let folded = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        folded.map(|_| ()).map_err(Error::database(&self.path))
    }

    /// Whether the table is as it was made: with other columns, queries could be answered with anything.
    pub(super) fn is_genuine(&self) -> Result<bool, Error> {
        let text = self
            .connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 'record'", [], |row| {
                row.get::<_, String>(0)
            })
            .optional()
            .map_err(Error::database(&self.path))?;
        Ok(text.as_deref() == Some(SCHEMA))
    }

    /// Number and hash of the last record; the hash is empty where the record's is not right.
    pub(super) fn last(&self) -> Result<AuditHead, Error> {
        let last = self
            .connection
            .prepare_cached("SELECT seq, line FROM record ORDER BY seq DESC LIMIT 1")
            .and_then(|mut statement| {
                statement.query_row([], |row| Ok((number(row.get(0)?), row.get::<_, String>(1)?))).optional()
            })
            .map_err(Error::database(&self.path))?;
        Ok(last.map_or_else(AuditHead::default, |(count, line)| {
            let head = record::hash_of(&line).unwrap_or_default().to_owned();
            AuditHead { count, head }
        }))
    }

    /// The record of this number.
    pub(super) fn line(&self, seq: u64) -> Result<Option<String>, Error> {
        Ok(self.texts("SELECT line FROM record WHERE seq = ?1", [key(seq)])?.pop())
    }

    /// The records after this number.
    pub(super) fn after(&self, seq: u64) -> Result<Vec<String>, Error> {
        self.texts("SELECT line FROM record WHERE seq > ?1 ORDER BY seq", [key(seq)])
    }

    /// The records that a filter lets through.
    pub(super) fn select(&self, filter: &Filter) -> Result<Vec<String>, Error> {
        let (sql, parameters) = filter.sql();
        self.texts(&sql, rusqlite::params_from_iter(parameters))
    }

    /// Shows every record, in the order of their numbers, to `see`.
    pub(super) fn each(&self, mut see: impl FnMut(u64, String)) -> Result<(), Error> {
        let mut read = || {
            let mut statement = self.connection.prepare("SELECT seq, line FROM record ORDER BY seq")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                see(number(row.get(0)?), row.get(1)?);
            }
            Ok(())
        };
        read().map_err(Error::database(&self.path))
    }

    fn texts(&self, sql: &str, parameters: impl Params) -> Result<Vec<String>, Error> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(parameters, |row| row.get(0))?.collect())
            .map_err(Error::database(&self.path))
    }

    /// Adds records, all of them or none.
    pub(super) fn insert(&mut self, lines: &[String]) -> Result<(), Error> {
        let mut insert = || {
            let transaction = self.connection.transaction()?;
            {
                let mut statement = transaction.prepare_cached(
                    "INSERT INTO record (seq, line) VALUES (CAST(?1 ->> '$.seq' AS INTEGER), ?1)",
                )?;
                for line in lines {
                    statement.execute([line])?;
                }
            }
            transaction.commit()
        };
        insert().map_err(Error::database(&self.path))
    }
}

/// A path inside a URI (<https://sqlite.org/uri.html>).
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// A record's number as `SQLite` keeps it; there are no larger ones.
fn key(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A record's number as it was kept; no record has the number 0.
fn number(key: i64) -> u64 {
    u64::try_from(key).unwrap_or(0)
}
