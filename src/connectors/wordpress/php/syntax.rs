//! Statements and expressions, as far as configurations need them told apart.

use super::value::Value;

/// What an expression may be assigned to, or be the value of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Value(Value),
    /// The values of these, one after the other, as a text.
    Joined(Vec<Expr>),
    Variable(String),
    Constant(String),
    /// `__DIR__`
    Directory,
    /// `__FILE__`
    File,
    /// `a[b]`, `a[]`, `a->b`
    Part(Box<Expr>, Option<Box<Expr>>),
    Call(String, Vec<Expr>),
    /// `Class::name(…)`
    StaticCall(String, String, Vec<Expr>),
    /// `new Class(…)`
    New(String, Vec<Expr>),
    /// `a->name(…)`
    Method(Box<Expr>, String, Vec<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `a ? b : c`; without b it is a.
    Choice(Box<Expr>, Option<Box<Expr>>, Box<Expr>),
    /// Target, sign (`=`, `.=`, `??=`, …), value.
    Assign(Box<Expr>, &'static str, Box<Expr>),
    Isset(Vec<Expr>),
    Empty(Box<Expr>),
    Include {
        required: bool,
        path: Box<Expr>,
    },
    Exit,
    List(Vec<(Option<Expr>, Expr)>),
    /// `(object)` and `(array)` change nothing here; `(string)`, `(int)` and `(bool)` do.
    Cast(&'static str, Box<Expr>),
    /// Something whose parts are evaluated, and whose value takes running PHP.
    Opaque(&'static str, Vec<Expr>),
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statement {
    Expression(Expr),
    /// Conditions with what they guard, and the `else`.
    If(Vec<(Expr, Vec<Statement>)>, Vec<Statement>),
    Block(Vec<Statement>),
    /// Run any number of times, or not at all.
    Maybe(Vec<Statement>),
    Function(Declared),
    Const(Vec<(String, Expr)>),
    Return,
}

/// A function that the file declares, told by what its body mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// In lower case.
    pub(super) name: String,
    /// It may define constants, change variables outside or include files.
    pub(super) acts: bool,
    /// It reads the environment.
    pub(super) reads_environment: bool,
}
