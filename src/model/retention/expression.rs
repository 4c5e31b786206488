//! Declared SQL: expressions that name columns and compare them, and can do nothing else.
//!
//! The text is parsed into a tree of our own, and only the tree is ever sent, with every name quoted: what has no
//! node here cannot be said.

use sqlparser::ast::{self, Expr};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};
use std::fmt;
use std::str::FromStr;

/// Longer expressions are refused.
const LONGEST: usize = 2000;
/// Deeper ones too.
const DEEPEST: u8 = 30;

/// An expression over the columns of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    tree: Node,
}

/// Which database reads the SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB, in a session that takes a bar for joining texts and a backslash for itself.
    Mysql,
}

impl Dialect {
    /// A name in quotes.
    pub fn quote(self, name: &str) -> String {
        match self {
            Dialect::Postgres | Dialect::Sqlite => quote(name),
            Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// The type of texts in a cast.
    pub fn text(self) -> &'static str {
        match self {
            Dialect::Postgres | Dialect::Sqlite => "text",
            Dialect::Mysql => "char",
        }
    }
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Not one expression.
    #[error("this is not one SQL expression: {0}")]
    Syntax(String),
    /// Something that no expression here may hold.
    #[error(
        "{0} is not allowed in a declared expression; allowed are columns, literals, comparisons, AND, OR, NOT, \
             IS NULL, IN, BETWEEN, LIKE, arithmetic, casts, ->, ->> and a few functions"
    )]
    Forbidden(String),
    /// A function that this database lacks.
    #[error("{0} is not available in {1:?}")]
    Dialect(String, Dialect),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Column { name: String, quoted: bool },
    Text(String),
    Number(String),
    Boolean(bool),
    Null,
    Prefix(&'static str, Box<Node>),
    Infix(&'static str, Box<Node>, Box<Node>),
    Postfix(&'static str, Box<Node>),
    In { of: Box<Node>, list: Vec<Node>, negated: bool },
    Between { of: Box<Node>, low: Box<Node>, high: Box<Node>, negated: bool },
    Call(Function, Vec<Node>),
    Cast(Box<Node>, Type),
}

/// The functions; none reads a clock, a setting, a file or another row, and none changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Coalesce,
    Greatest,
    Least,
    Nullif,
    Lower,
    Upper,
    Length,
    Abs,
    ToTimestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Integer,
    Bigint,
    Numeric,
    Real,
    Boolean,
    Date,
    Timestamp,
    Timestamptz,
    Uuid,
    Json,
    Jsonb,
}

impl Expression {
    /// The expression as SQL of this dialect, in parentheses where it needs them.
    ///
    /// # Errors
    /// Where it uses what this database lacks.
    pub fn sql(&self, dialect: Dialect) -> Result<String, ExpressionError> {
        let mut sql = String::new();
        self.tree.write(dialect, &mut sql)?;
        Ok(sql)
    }

    /// The column's name where it is a bare column: what an index can be on.
    pub fn column(&self, dialect: Dialect) -> Option<String> {
        match &self.tree {
            Node::Column { name, quoted } => Some(folded(name, *quoted, dialect)),
            _ => None,
        }
    }

    /// The columns that it reads, in no order.
    pub fn columns(&self, dialect: Dialect) -> Vec<String> {
        let mut found = Vec::new();
        self.tree.columns(dialect, &mut found);
        found
    }

    /// Whether it gives the value of one of its columns as it is, so that its type is that of the columns.
    pub fn picks_a_column(&self) -> bool {
        self.tree.picks_a_column()
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Expression, ExpressionError> {
        if text.trim().is_empty() || text.len() > LONGEST {
            return Err(ExpressionError::Syntax(format!("it has from 1 to {LONGEST} characters")));
        }
        let dialect = PostgreSqlDialect {};
        let tokens = Tokenizer::new(&dialect, text).tokenize().map_err(|e| ExpressionError::Syntax(e.to_string()))?;
        tokens.iter().try_for_each(admit)?;
        let mut parser = Parser::new(&dialect).with_recursion_limit(DEEPEST.into()).with_tokens(tokens);
        let expr = parser.parse_expr().map_err(|e| ExpressionError::Syntax(e.to_string()))?;
        if parser.peek_token().token != Token::EOF {
            return Err(ExpressionError::Syntax("there is more after its end".to_owned()));
        }
        Ok(Expression { text: text.to_owned(), tree: node(&expr, DEEPEST)? })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

super::word::written!(Expression);

/// A name in the quotes of standard SQL.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes, for every dialect.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An unquoted name means its lower-case form in PostgreSQL; SQLite compares names without case.
fn folded(name: &str, quoted: bool, dialect: Dialect) -> String {
    if dialect == Dialect::Postgres && !quoted { name.to_ascii_lowercase() } else { name.to_owned() }
}

fn forbidden<T>(what: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError::Forbidden(what.into()))
}

/// Refuses what the parser would skip or what other databases read differently.
fn admit(token: &Token) -> Result<(), ExpressionError> {
    match token {
        Token::Whitespace(sqlparser::tokenizer::Whitespace::Space)
        | Token::Whitespace(sqlparser::tokenizer::Whitespace::Newline)
        | Token::Whitespace(sqlparser::tokenizer::Whitespace::Tab) => Ok(()),
        Token::Whitespace(_) => forbidden("a comment"),
        Token::SemiColon => forbidden("`;`"),
        Token::Word(word) if !name_fits(&word.value) => forbidden("a name with other characters than a-z, 0-9, _, $"),
        Token::Word(_) | Token::Number(_, false) => Ok(()),
        Token::SingleQuotedString(text) if text.chars().any(|c| c.is_control() || c == '\\') => {
            forbidden("a text with a backslash or a control character")
        }
        Token::SingleQuotedString(text) if is_now(text) => forbidden("a text that means the present"),
        Token::SingleQuotedString(_) => Ok(()),
        Token::Comma
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::Gt
        | Token::LtEq
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::LParen
        | Token::RParen
        | Token::DoubleColon
        | Token::Arrow
        | Token::LongArrow => Ok(()),
        other => forbidden(format!("`{other}`")),
    }
}

fn name_fits(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$')
}

/// PostgreSQL reads these as the present wherever a time is wanted.
fn is_now(text: &str) -> bool {
    let word = text.trim().to_ascii_lowercase();
    ["now", "today", "tomorrow", "yesterday"].iter().any(|present| word.contains(present) && word.len() < 40)
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ' || byte == b':')
        && word
            .split_ascii_whitespace()
            .next()
            .is_some_and(|first| ["now", "today", "tomorrow", "yesterday"].contains(&first))
}

fn node(expr: &Expr, depth: u8) -> Result<Node, ExpressionError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(ExpressionError::Syntax("it is nested too deeply".to_owned()));
    };
    let boxed = |expr: &Expr| node(expr, depth).map(Box::new);
    match expr {
        Expr::Identifier(ident) => match ident.quote_style {
            None => Ok(Node::Column { name: ident.value.clone(), quoted: false }),
            Some('"') => Ok(Node::Column { name: ident.value.clone(), quoted: true }),
            Some(_) => forbidden("a name in other quotes than \""),
        },
        Expr::Nested(inner) => node(inner, depth),
        Expr::Value(value) => value_node(&value.value),
        Expr::IsNull(of) => Ok(Node::Postfix("IS NULL", boxed(of)?)),
        Expr::IsNotNull(of) => Ok(Node::Postfix("IS NOT NULL", boxed(of)?)),
        Expr::IsTrue(of) => Ok(Node::Postfix("IS TRUE", boxed(of)?)),
        Expr::IsNotTrue(of) => Ok(Node::Postfix("IS NOT TRUE", boxed(of)?)),
        Expr::IsFalse(of) => Ok(Node::Postfix("IS FALSE", boxed(of)?)),
        Expr::IsNotFalse(of) => Ok(Node::Postfix("IS NOT FALSE", boxed(of)?)),
        Expr::UnaryOp { op: ast::UnaryOperator::Not, expr } => Ok(Node::Prefix("NOT", boxed(expr)?)),
        Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => Ok(Node::Prefix("-", boxed(expr)?)),
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (boxed(left)?, boxed(right)?);
            match infix(op) {
                Some(word) => Ok(Node::Infix(word, left, right)),
                None => forbidden(format!("the operator `{op}`")),
            }
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
            let word = if *negated { "NOT LIKE" } else { "LIKE" };
            Ok(Node::Infix(word, boxed(expr)?, boxed(pattern)?))
        }
        Expr::Between { expr, negated, low, high } => {
            Ok(Node::Between { of: boxed(expr)?, low: boxed(low)?, high: boxed(high)?, negated: *negated })
        }
        Expr::In { expr, target: ast::InTarget::List(list), negated, global: false } => {
            let list = list.iter().map(|member| node(member, depth)).collect::<Result<Vec<_>, _>>()?;
            if list.is_empty() {
                forbidden("an empty list")
            } else {
                Ok(Node::In { of: boxed(expr)?, list, negated: *negated })
            }
        }
        Expr::Cast { kind: ast::CastKind::Cast | ast::CastKind::DoubleColon, expr, data_type, format: None } => {
            match cast_type(data_type) {
                Some(kind) => Ok(Node::Cast(boxed(expr)?, kind)),
                None => forbidden(format!("a cast to {}", brief(&data_type.to_string()))),
            }
        }
        Expr::Function(call) => call_node(call, depth),
        other => forbidden(format!("`{}`", brief(&other.to_string()))),
    }
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}

fn value_node(value: &ast::Value) -> Result<Node, ExpressionError> {
    match value {
        ast::Value::Number(digits, false) if digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            Ok(Node::Number(digits.clone()))
        }
        ast::Value::SingleQuotedString(text) => Ok(Node::Text(text.clone())),
        ast::Value::Boolean(value) => Ok(Node::Boolean(*value)),
        ast::Value::Null => Ok(Node::Null),
        other => forbidden(format!("the literal `{}`", brief(&other.to_string()))),
    }
}

fn infix(op: &ast::BinaryOperator) -> Option<&'static str> {
    use ast::BinaryOperator as Op;
    Some(match op {
        Op::Plus => "+",
        Op::Minus => "-",
        Op::Multiply => "*",
        Op::Divide => "/",
        Op::Modulo => "%",
        Op::StringConcat => "||",
        Op::Gt => ">",
        Op::Lt => "<",
        Op::GtEq => ">=",
        Op::LtEq => "<=",
        Op::Eq => "=",
        Op::NotEq => "<>",
        Op::And => "AND",
        Op::Or => "OR",
        Op::Arrow => "->",
        Op::LongArrow => "->>",
        _ => return None,
    })
}

fn cast_type(kind: &ast::DataType) -> Option<Type> {
    use ast::{DataType, TimezoneInfo};
    Some(match kind {
        DataType::Text | DataType::Varchar(None) => Type::Text,
        DataType::Int(None) | DataType::Integer(None) | DataType::SmallInt(None) => Type::Integer,
        DataType::BigInt(None) => Type::Bigint,
        DataType::Numeric(ast::ExactNumberInfo::None) => Type::Numeric,
        DataType::Real | DataType::DoublePrecision => Type::Real,
        DataType::Boolean | DataType::Bool => Type::Boolean,
        DataType::Date => Type::Date,
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::Timestamp,
        DataType::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => Type::Timestamptz,
        DataType::Uuid => Type::Uuid,
        DataType::JSON => Type::Json,
        DataType::JSONB => Type::Jsonb,
        _ => return None,
    })
}

fn call_node(call: &ast::Function, depth: u8) -> Result<Node, ExpressionError> {
    let name = call.name.to_string().to_ascii_lowercase();
    let function = match name.as_str() {
        "coalesce" => Function::Coalesce,
        "greatest" => Function::Greatest,
        "least" => Function::Least,
        "nullif" => Function::Nullif,
        "lower" => Function::Lower,
        "upper" => Function::Upper,
        "length" => Function::Length,
        "abs" => Function::Abs,
        "to_timestamp" => Function::ToTimestamp,
        _ => return forbidden(format!("the function `{}`", brief(&name))),
    };
    let plain = call.over.is_none()
        && call.filter.is_none()
        && call.null_treatment.is_none()
        && call.within_group.is_empty()
        && !call.uses_odbc_syntax
        && call.parameters == ast::FunctionArguments::None;
    let ast::FunctionArguments::List(list) = &call.args else {
        return forbidden(format!("this form of `{name}`"));
    };
    if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return forbidden(format!("this form of `{name}`"));
    }
    let arguments = list.args.iter().map(|argument| match argument {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => node(expr, depth),
        _ => forbidden(format!("this argument of `{name}`")),
    });
    let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
    let fits = match function {
        Function::Coalesce | Function::Greatest | Function::Least => (2..=20).contains(&arguments.len()),
        Function::Nullif => arguments.len() == 2,
        _ => arguments.len() == 1,
    };
    if fits { Ok(Node::Call(function, arguments)) } else { forbidden(format!("this number of arguments of `{name}`")) }
}

impl Node {
    fn columns(&self, dialect: Dialect, found: &mut Vec<String>) {
        match self {
            Node::Column { name, quoted } => found.push(folded(name, *quoted, dialect)),
            Node::Text(_) | Node::Number(_) | Node::Boolean(_) | Node::Null => {}
            Node::Prefix(_, of) | Node::Postfix(_, of) | Node::Cast(of, _) => of.columns(dialect, found),
            Node::Infix(_, left, right) => [left, right].iter().for_each(|node| node.columns(dialect, found)),
            Node::In { of, list, .. } => {
                of.columns(dialect, found);
                list.iter().for_each(|node| node.columns(dialect, found));
            }
            Node::Between { of, low, high, .. } => {
                [of, low, high].iter().for_each(|node| node.columns(dialect, found));
            }
            Node::Call(_, arguments) => arguments.iter().for_each(|node| node.columns(dialect, found)),
        }
    }

    fn picks_a_column(&self) -> bool {
        match self {
            Node::Column { .. } => true,
            Node::Call(Function::Coalesce | Function::Greatest | Function::Least, arguments) => {
                arguments.iter().all(Node::picks_a_column)
            }
            Node::Call(Function::Nullif, arguments) => arguments.iter().take(1).all(Node::picks_a_column),
            _ => false,
        }
    }

    fn write(&self, dialect: Dialect, sql: &mut String) -> Result<(), ExpressionError> {
        match self {
            Node::Column { name, quoted } => sql.push_str(&dialect.quote(&folded(name, *quoted, dialect))),
            Node::Text(text) => sql.push_str(&literal(text)),
            Node::Number(digits) => sql.push_str(digits),
            Node::Boolean(value) => sql.push_str(if *value { "TRUE" } else { "FALSE" }),
            Node::Null => sql.push_str("NULL"),
            Node::Prefix(word, of) => {
                sql.push_str(&format!("({word} "));
                of.write(dialect, sql)?;
                sql.push(')');
            }
            Node::Infix(word @ ("->" | "->>"), ..) if dialect == Dialect::Mysql => {
                return Err(ExpressionError::Dialect(format!("`{word}`"), dialect));
            }
            Node::Infix(word, left, right) => {
                sql.push('(');
                left.write(dialect, sql)?;
                sql.push_str(&format!(" {word} "));
                right.write(dialect, sql)?;
                sql.push(')');
            }
            Node::Postfix(word, of) => {
                sql.push('(');
                of.write(dialect, sql)?;
                sql.push_str(&format!(" {word})"));
            }
            Node::In { of, list, negated } => {
                sql.push('(');
                of.write(dialect, sql)?;
                sql.push_str(if *negated { " NOT IN (" } else { " IN (" });
                write_list(list, dialect, sql)?;
                sql.push_str("))");
            }
            Node::Between { of, low, high, negated } => {
                sql.push('(');
                of.write(dialect, sql)?;
                sql.push_str(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                low.write(dialect, sql)?;
                sql.push_str(" AND ");
                high.write(dialect, sql)?;
                sql.push(')');
            }
            Node::Call(function, arguments) => {
                sql.push_str(function.word(dialect)?);
                sql.push('(');
                write_list(arguments, dialect, sql)?;
                sql.push(')');
            }
            Node::Cast(of, kind) => {
                sql.push_str("CAST(");
                of.write(dialect, sql)?;
                sql.push_str(&format!(" AS {})", kind.word(dialect)?));
            }
        }
        Ok(())
    }
}

fn write_list(list: &[Node], dialect: Dialect, sql: &mut String) -> Result<(), ExpressionError> {
    for (index, member) in list.iter().enumerate() {
        if index > 0 {
            sql.push_str(", ");
        }
        member.write(dialect, sql)?;
    }
    Ok(())
}

impl Function {
    fn word(self, dialect: Dialect) -> Result<&'static str, ExpressionError> {
        Ok(match (self, dialect) {
            (Function::Coalesce, _) => "coalesce",
            (Function::Greatest, Dialect::Postgres | Dialect::Mysql) => "greatest",
            // With two arguments and more these are no aggregates.
            (Function::Greatest, Dialect::Sqlite) => "max",
            (Function::Least, Dialect::Postgres | Dialect::Mysql) => "least",
            (Function::Least, Dialect::Sqlite) => "min",
            (Function::Nullif, _) => "nullif",
            (Function::Lower, _) => "lower",
            (Function::Upper, _) => "upper",
            (Function::Length, Dialect::Mysql) => "char_length",
            (Function::Length, _) => "length",
            (Function::Abs, _) => "abs",
            (Function::ToTimestamp, Dialect::Postgres) => "to_timestamp",
            (Function::ToTimestamp, dialect) => {
                return Err(ExpressionError::Dialect("to_timestamp".to_owned(), dialect));
            }
        })
    }
}

impl Type {
    fn word(self, dialect: Dialect) -> Result<&'static str, ExpressionError> {
        Ok(match (self, dialect) {
            (Type::Text, dialect) => dialect.text(),
            (Type::Integer | Type::Bigint, Dialect::Mysql) => "signed",
            (Type::Real, Dialect::Mysql) => "double",
            (Type::Date, Dialect::Mysql) => "date",
            (Type::Timestamp, Dialect::Mysql) => "datetime(6)",
            (Type::Numeric, Dialect::Mysql) => {
                return Err(ExpressionError::Dialect("a cast to numeric".to_owned(), dialect));
            }
            (Type::Integer, _) => "integer",
            (Type::Bigint, Dialect::Postgres) => "bigint",
            (Type::Bigint, Dialect::Sqlite) => "integer",
            (Type::Numeric, _) => "numeric",
            (Type::Real, Dialect::Postgres) => "double precision",
            (Type::Real, Dialect::Sqlite) => "real",
            (Type::Boolean, Dialect::Postgres) => "boolean",
            (Type::Date, Dialect::Postgres) => "date",
            (Type::Timestamp, Dialect::Postgres) => "timestamp",
            (Type::Timestamptz, Dialect::Postgres) => "timestamptz",
            (Type::Uuid, Dialect::Postgres) => "uuid",
            (Type::Json, Dialect::Postgres) => "json",
            (Type::Jsonb, Dialect::Postgres) => "jsonb",
            (kind, dialect) => {
                return Err(ExpressionError::Dialect(format!("a cast to {kind:?}").to_ascii_lowercase(), dialect));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> (String, String) {
        let expression: Expression = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        (expression.sql(Dialect::Postgres).unwrap(), expression.sql(Dialect::Sqlite).unwrap())
    }

    #[test]
    fn what_is_allowed_is_written_anew_with_every_name_quoted() {
        for (text, expected) in [
            ("kind = 'visitor'", r#"("kind" = 'visitor')"#),
            ("workspace_id = 42", r#"("workspace_id" = 42)"#),
            ("last_seen_at", r#""last_seen_at""#),
            ("\"order\" IS NOT NULL", r#"("order" IS NOT NULL)"#),
            ("a = 1 OR b = 2 AND NOT c", r#"(("a" = 1) OR (("b" = 2) AND (NOT "c")))"#),
            ("(a = 1 OR b = 2) AND c", r#"((("a" = 1) OR ("b" = 2)) AND "c")"#),
            ("coalesce(a, b)", r#"coalesce("a", "b")"#),
            ("data ->> 'a' = 'it''s'", r#"(("data" ->> 'a') = 'it''s')"#),
            ("a IN (1, -2) AND b NOT IN ('x')", r#"(("a" IN (1, (- 2))) AND ("b" NOT IN ('x')))"#),
            ("a BETWEEN 1 AND 2.5", r#"("a" BETWEEN 1 AND 2.5)"#),
            ("name NOT LIKE 'a%' AND x <> NULL", r#"(("name" NOT LIKE 'a%') AND ("x" <> NULL))"#),
            ("a::text = CAST(b AS integer)", r#"(CAST("a" AS text) = CAST("b" AS integer))"#),
            ("active IS NOT TRUE", r#"("active" IS NOT TRUE)"#),
            ("select_ = 'drop table; -- x'", r#"("select_" = 'drop table; -- x')"#),
            ("from_", r#""from_""#),
        ] {
            let (postgres, sqlite) = both(text);
            assert_eq!(postgres, expected);
            assert_eq!(sqlite, expected);
        }
        assert_eq!(both("Kind = 'a'").0, r#"("kind" = 'a')"#);
        assert_eq!(both("\"Kind\" = 'a'").0, r#"("Kind" = 'a')"#);
        assert_eq!(both("greatest(a, b)"), (r#"greatest("a", "b")"#.to_owned(), r#"max("a", "b")"#.to_owned()));
    }

    #[test]
    fn what_a_database_lacks_is_said() {
        let expression: Expression = "to_timestamp(created)".parse().unwrap();
        assert!(expression.sql(Dialect::Postgres).is_ok());
        assert!(expression.sql(Dialect::Sqlite).is_err());
        assert!("a::timestamptz".parse::<Expression>().unwrap().sql(Dialect::Sqlite).is_err());
    }

    #[test]
    fn mysql_has_quotes_and_words_of_its_own() {
        let sql = |text: &str| text.parse::<Expression>().unwrap().sql(Dialect::Mysql);
        for (text, expected) in [
            ("Kind = 'it''s'", "(`Kind` = 'it''s')"),
            ("\"order\" IS NOT NULL", "(`order` IS NOT NULL)"),
            ("a::text = b || 'x'", "(CAST(`a` AS char) = (`b` || 'x'))"),
            ("greatest(a, b) < c::bigint", "(greatest(`a`, `b`) < CAST(`c` AS signed))"),
            ("length(a) > 2", "(char_length(`a`) > 2)"),
        ] {
            assert_eq!(sql(text).unwrap(), expected);
        }
        for lacking in ["a -> 'b' = 'c'", "a ->> 'b' = 'c'", "to_timestamp(a)", "a::uuid = b", "a::numeric = 1"] {
            assert!(sql(lacking).is_err(), "{lacking}");
        }
        assert_eq!(Dialect::Mysql.quote("a`b"), "`a``b`");
    }

    #[test]
    fn columns_and_what_picks_one() {
        let read = |text: &str| text.parse::<Expression>().unwrap();
        assert_eq!(read("coalesce(A, \"B\") < c + 1").columns(Dialect::Postgres), ["a", "B", "c"]);
        for (text, picks) in
            [("a", true), ("coalesce(a, greatest(b, c))", true), ("nullif(a, 5)", true), ("a + 1", false), ("5", false)]
        {
            assert_eq!(read(text).picks_a_column(), picks, "{text}");
        }
    }

    #[test]
    fn a_bare_column_is_told_apart() {
        assert_eq!("Created_At".parse::<Expression>().unwrap().column(Dialect::Postgres).unwrap(), "created_at");
        assert_eq!("(a)".parse::<Expression>().unwrap().column(Dialect::Sqlite).unwrap(), "a");
        assert_eq!("a + 1".parse::<Expression>().unwrap().column(Dialect::Sqlite), None);
    }

    #[test]
    fn injections_are_refused() {
        let attempts = [
            "1=1; DROP TABLE visitors",
            "a = 1;",
            ";",
            "a = 1 -- comment",
            "a = 1 --",
            "a = 1 /* comment */",
            "a /**/ = 1",
            "a = 1 /* open",
            "a = 1 # comment",
            "(SELECT password FROM users LIMIT 1)",
            "a = (SELECT 1)",
            "a IN (SELECT id FROM users)",
            "EXISTS (SELECT 1 FROM users)",
            "a = ANY(SELECT 1)",
            "a = ANY(ARRAY[1,2])",
            "1 UNION SELECT 2",
            "1) UNION SELECT (2",
            "a = 1 OR pg_sleep(10) IS NULL",
            "pg_sleep(10)",
            "pg_catalog.pg_sleep(10)",
            "pg_read_file('/etc/passwd') = ''",
            "lo_import('/etc/passwd') > 0",
            "dblink('host=x', 'select 1') = 1",
            "query_to_xml('select 1', true, true, '') IS NULL",
            "set_config('a.b', 'c', false) = ''",
            "current_setting('is_superuser') = 'on'",
            "nextval('s') > 0",
            "setval('s', 1) > 0",
            "random() < 0.5",
            "now() > a",
            "a < now",
            "a < CURRENT_TIMESTAMP()",
            "current_user = 'x'",
            "session_user = 'x'",
            "version() = ''",
            "load_extension('x')",
            "writefile('/tmp/x', 'y')",
            "readfile('/etc/passwd')",
            "a = 'unbalanced",
            "a = \"unbalanced",
            "a = 'x' || 'y",
            "(a = 1",
            "a = 1)",
            "a = $$text$$",
            "a = $tag$text$tag$",
            "a = $1",
            "a = ?",
            "a = :name",
            "a = @name",
            "a = E'\\047'",
            "a = U&'\\0027'",
            "U&\"d\\0061t\" = 1",
            "a = N'x'",
            "a = X'41'",
            "a = B'1'",
            "a = 'x\\' OR 1=1 --'",
            "a = 'x\ny'",
            "a = 'x\0y'",
            "'pg_class'::regclass = 1",
            "CAST('x' AS regproc) = 1",
            "a::xml IS NULL",
            "a::pg_catalog.regclass = 1",
            "a::my_type = 1",
            "a::text[] = 1",
            "visitors.a = 1",
            "public.visitors.a = 1",
            "a.b.c",
            "a[1] = 2",
            "ROW(1,2) = a",
            "(a, b) = (1, 2)",
            "a ~ '(x+x+)+y'",
            "a SIMILAR TO 'x'",
            "a ILIKE 'x'",
            "a OPERATOR(pg_catalog.=) 1",
            "a @> b",
            "a && b",
            "a LIKE 'x' ESCAPE '!'",
            "a COLLATE \"C\" = 'x'",
            "CASE WHEN a THEN b END",
            "count(*) > 1",
            "count(a) OVER () > 1",
            "max(a) > 1",
            "coalesce(DISTINCT a, b)",
            "coalesce(*)",
            "coalesce(a)",
            "coalesce()",
            "lower(a) FILTER (WHERE b)",
            "interval '1 day' > a",
            "extract(epoch from a) > 1",
            "a AT TIME ZONE 'UTC' > b",
            "TIMESTAMP '2020-01-01' < a",
            "a < 'now'",
            "a < ' Today '",
            "a < 'yesterday'",
            "a < 'tomorrow 12:00'",
            "ＳＥＬＥＣＴ = 1",
            "а = 1",
            "a\u{a0}= 1",
            "a = ‘x’",
            "a\u{200b} = 1",
            "\"a\"\"; DROP TABLE x; --\" = 1",
            "\"a b\" = 1",
            "`a` = 1",
            "[a] = 1",
            "a = 1 LIMIT 1",
            "a = 1 FROM users",
            "a AS b",
            "a, b",
            "*",
            "a = 1 INTO OUTFILE '/tmp/x'",
            "IN (1)",
            "a IN ()",
            "",
            "   ",
        ];
        assert!(attempts.len() >= 40);
        for text in attempts {
            if let Ok(expression) = text.parse::<Expression>() {
                // Words that other databases take for a clock or a user are mere columns here: always quoted.
                let sql = expression.sql(Dialect::Postgres).unwrap();
                assert!(["a < now"].contains(&text), "{text} became {sql}");
                assert_eq!(sql, r#"("a" < "now")"#);
            }
        }
    }

    #[test]
    fn long_and_deep_ones_are_refused_and_break_nothing() {
        assert!("a".repeat(LONGEST + 1).parse::<Expression>().is_err());
        for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", ""), ("coalesce(1, ", ")"), ("lower(", ")")] {
            let many = 1900 / (open.len() + close.len());
            let text = format!("{}a{}", open.repeat(many), close.repeat(many));
            assert!(text.parse::<Expression>().is_err(), "{open}");
        }
        let wide = vec!["a = 1"; 100].join(" OR ");
        assert!(wide.parse::<Expression>().is_err(), "a chain is deep to the left");
        assert!(vec!["a = 1"; 20].join(" OR ").parse::<Expression>().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn whatever_passes_has_balanced_quotes_and_parentheses(text in "[a-z0-9 ='\"();<>|:.,*/%$\\\\-]{0,40}") {
            if let Ok(expression) = text.parse::<Expression>() {
                for dialect in [Dialect::Postgres, Dialect::Sqlite, Dialect::Mysql] {
                    let Ok(sql) = expression.sql(dialect) else { continue };
                    if dialect == Dialect::Mysql {
                        proptest::prop_assert!(sql.matches('`').count() % 2 == 0 && sql.matches('\'').count() % 2 == 0);
                        continue;
                    }
                    // Written anew, it is read as the same tree.
                    let again: Expression = sql.parse().unwrap();
                    if dialect == Dialect::Postgres {
                        proptest::prop_assert_eq!(again.sql(dialect).unwrap(), sql);
                    }
                }
            }
        }
    }
}
