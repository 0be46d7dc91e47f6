//! From tokens to statements.

use super::{
    parse_expression::LOWEST,
    syntax::{Declared, Expr, Statement},
    token::{Nonsense, Placed, Token, tokens},
};

/// Deepest nesting of expressions and statements.
pub(super) const MAX_DEPTH: usize = 100;

/// The statements of a file.
pub(super) fn statements(source: &[u8]) -> Result<Vec<Statement>, Nonsense> {
    let tokens = tokens(source)?;
    let mut parser = Parser::new(&tokens);
    let mut all = Vec::new();
    while !parser.is_over() {
        all.push(parser.statement()?);
    }
    Ok(all)
}

pub(super) struct Parser<'a> {
    tokens: &'a [Placed],
    at: usize,
    pub(super) depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: &'a [Placed]) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.at >= self.tokens.len()
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, count: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + count).map(|placed| &placed.token)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    pub(super) fn nonsense(&self, what: &'static str) -> Nonsense {
        let last = self.at.min(self.tokens.len().saturating_sub(1));
        Nonsense {
            line: self.tokens.get(last).map_or(1, |placed| placed.line),
            what,
        }
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    /// Takes a sign if it comes next.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), Nonsense> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(self.nonsense("cannot be read as PHP")),
        }
    }

    /// The keyword that comes next, in lower case.
    pub(super) fn keyword(&self) -> String {
        match self.peek() {
            Some(Token::Name(name)) => name.to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Nonsense>) -> Result<T, Nonsense> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.nonsense("is nested deeper than any configuration"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn statement(&mut self) -> Result<Statement, Nonsense> {
        self.deeper(Self::one_statement)
    }

    fn one_statement(&mut self) -> Result<Statement, Nonsense> {
        if self.take(";") {
            return Ok(Statement::Block(Vec::new()));
        }
        if self.take("{") {
            return Ok(Statement::Block(self.until_brace()?));
        }
        let keyword = self.keyword();
        let called = matches!(self.ahead(1), Some(Token::Sign("(")));
        match keyword.as_str() {
            "if" => self.branches(),
            "while" | "for" | "foreach" | "switch" | "declare" => self.guarded(&keyword),
            "do" => {
                self.next();
                let body = self.statement()?;
                self.until_semicolon()?;
                Ok(Statement::Maybe(vec![body]))
            }
            "try" => self.trying(),
            "function" if matches!(self.ahead(1), Some(Token::Name(_) | Token::Sign("&"))) => self.function(),
            "abstract" | "final" | "class" | "interface" | "trait" | "enum" if !called => self.class(),
            "const" => self.constants(),
            "return" => {
                self.until_semicolon()?;
                Ok(Statement::Return)
            }
            "use" | "namespace" | "goto" | "break" | "continue" | "throw" if !called => {
                self.until_semicolon()?;
                Ok(Statement::Block(Vec::new()))
            }
            // Nothing of it can be kept apart from what it may be another name of.
            "global" | "static" if matches!(self.ahead(1), Some(Token::Variable(_))) => {
                self.until_semicolon()?;
                Ok(Statement::Block(Vec::new()))
            }
            "echo" => {
                self.next();
                let mut all = vec![self.expression(LOWEST)?];
                while self.take(",") {
                    all.push(self.expression(LOWEST)?);
                }
                self.end()?;
                Ok(Statement::Expression(Expr::Opaque("echo", all)))
            }
            _ => {
                let expression = self.expression(LOWEST)?;
                self.end()?;
                Ok(Statement::Expression(expression))
            }
        }
    }

    /// The end of a statement: a semicolon, or that of the file.
    fn end(&mut self) -> Result<(), Nonsense> {
        match self.is_over() || self.is_sign("}") {
            true => Ok(()),
            false => self.expect(";"),
        }
    }

    fn until_brace(&mut self) -> Result<Vec<Statement>, Nonsense> {
        let mut all = Vec::new();
        while !self.take("}") {
            if self.is_over() {
                return Err(self.nonsense("has a block without an end"));
            }
            all.push(self.statement()?);
        }
        Ok(all)
    }

    /// Skips to the end of a statement whose content does not matter.
    fn until_semicolon(&mut self) -> Result<(), Nonsense> {
        while !self.is_over() && !self.take(";") {
            match self.peek() {
                Some(Token::Sign("{")) => {
                    self.skip_group("{", "}")?;
                }
                _ => {
                    self.next();
                }
            }
        }
        Ok(())
    }

    /// Skips a group in brackets; gives what is in it.
    pub(super) fn skip_group(&mut self, open: &'static str, close: &'static str) -> Result<&'a [Placed], Nonsense> {
        self.expect(open)?;
        let begin = self.at;
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next() {
                Some(Token::Sign(sign)) if *sign == open => depth += 1,
                Some(Token::Sign(sign)) if *sign == close => depth -= 1,
                Some(_) => {}
                None => return Err(self.nonsense("has a block without an end")),
            }
        }
        Ok(&self.tokens[begin..self.at - 1])
    }

    /// What a condition guards: a statement, or everything up to one of these keywords.
    fn body(&mut self, ends: &[&str]) -> Result<Vec<Statement>, Nonsense> {
        if !self.take(":") {
            return Ok(vec![self.statement()?]);
        }
        let mut all = Vec::new();
        while !ends.contains(&self.keyword().as_str()) {
            if self.is_over() {
                return Err(self.nonsense("has a block without an end"));
            }
            all.push(self.statement()?);
        }
        Ok(all)
    }

    fn condition(&mut self) -> Result<Expr, Nonsense> {
        self.expect("(")?;
        let condition = self.expression(LOWEST)?;
        self.expect(")")?;
        Ok(condition)
    }

    fn branches(&mut self) -> Result<Statement, Nonsense> {
        const ENDS: &[&str] = &["elseif", "else", "endif"];
        let mut branches = Vec::new();
        self.next();
        loop {
            let condition = self.condition()?;
            branches.push((condition, self.body(ENDS)?));
            match self.keyword().as_str() {
                "elseif" => {
                    self.next();
                }
                "else" if matches!(self.ahead(1), Some(Token::Name(name)) if name.eq_ignore_ascii_case("if")) => {
                    self.next();
                    self.next();
                }
                "else" => {
                    self.next();
                    let otherwise = self.body(ENDS)?;
                    self.endif()?;
                    return Ok(Statement::If(branches, otherwise));
                }
                _ => {
                    self.endif()?;
                    return Ok(Statement::If(branches, Vec::new()));
                }
            }
        }
    }

    fn endif(&mut self) -> Result<(), Nonsense> {
        if self.keyword() == "endif" {
            self.next();
            self.end()?;
        }
        Ok(())
    }

    /// Loops, `switch` and `declare`: what stands in them may happen or not.
    fn guarded(&mut self, keyword: &str) -> Result<Statement, Nonsense> {
        self.next();
        self.skip_group("(", ")")?;
        if keyword == "declare" && self.take(";") {
            return Ok(Statement::Block(Vec::new()));
        }
        if keyword == "switch" && self.is_sign("{") {
            let inside = self.skip_group("{", "}")?;
            return Ok(Statement::Maybe(cases(inside, self.depth)?));
        }
        let end = format!("end{keyword}");
        if keyword == "switch" {
            return Err(self.nonsense("has a switch in a form that is not understood"));
        }
        let body = self.body(&[&end])?;
        if self.keyword() == end {
            self.next();
            self.end()?;
        }
        Ok(Statement::Maybe(body))
    }

    fn trying(&mut self) -> Result<Statement, Nonsense> {
        self.next();
        let mut all = vec![self.statement()?];
        loop {
            match self.keyword().as_str() {
                "catch" => {
                    self.next();
                    self.skip_group("(", ")")?;
                    all.push(Statement::Maybe(vec![self.statement()?]));
                }
                "finally" => {
                    self.next();
                    all.push(self.statement()?);
                }
                _ => return Ok(Statement::Block(all)),
            }
        }
    }

    fn function(&mut self) -> Result<Statement, Nonsense> {
        self.next();
        self.take("&");
        let Some(Token::Name(name)) = self.next() else {
            return Err(self.nonsense("cannot be read as PHP"));
        };
        while !self.is_over() && !self.is_sign("{") {
            self.next();
        }
        let body = self.skip_group("{", "}")?;
        Ok(Statement::Function(Declared {
            name: name.to_ascii_lowercase(),
            acts: mentions(
                body,
                &[
                    "define",
                    "const",
                    "include",
                    "include_once",
                    "require",
                    "require_once",
                    "eval",
                ],
            ) || mentions(body, &["global", "GLOBALS"]),
            reads_environment: mentions(body, &["getenv", "_ENV", "_SERVER", "env"]),
        }))
    }

    fn class(&mut self) -> Result<Statement, Nonsense> {
        while !self.is_over() && !self.is_sign("{") {
            self.next();
        }
        self.skip_group("{", "}")?;
        Ok(Statement::Block(Vec::new()))
    }

    fn constants(&mut self) -> Result<Statement, Nonsense> {
        self.next();
        let mut all = Vec::new();
        loop {
            let Some(Token::Name(name)) = self.next() else {
                return Err(self.nonsense("cannot be read as PHP"));
            };
            self.expect("=")?;
            all.push((name.clone(), self.expression(LOWEST)?));
            if !self.take(",") {
                self.end()?;
                return Ok(Statement::Const(all));
            }
        }
    }
}

/// The statements within a `switch`, without its labels.
fn cases(tokens: &[Placed], depth: usize) -> Result<Vec<Statement>, Nonsense> {
    let mut parser = Parser { tokens, at: 0, depth };
    let mut all = Vec::new();
    while !parser.is_over() {
        match parser.keyword().as_str() {
            "case" => {
                parser.next();
                parser.expression(LOWEST)?;
                if !parser.take(":") {
                    parser.expect(";")?;
                }
            }
            "default" => {
                parser.next();
                if !parser.take(":") {
                    parser.expect(";")?;
                }
            }
            _ => all.push(parser.statement()?),
        }
    }
    Ok(all)
}

fn mentions(tokens: &[Placed], words: &[&str]) -> bool {
    tokens.iter().any(|placed| match &placed.token {
        Token::Name(name) | Token::Variable(name) => {
            let name = name.rsplit('\\').next().unwrap_or(name);
            words.iter().any(|word| name.eq_ignore_ascii_case(word))
        }
        _ => false,
    })
}
