import { init, parse } from 'es-module-lexer';

await init;

/** `{a as b,c}` of an import as the pattern that takes it apart: `{a:b,c}`. */
const pattern = (names) => names.replaceAll(/\s+as\s+/g, ':');

/** `{a as b,c}` of an export as the object that holds it: `{b:a,c}`. */
const object = (names) => names.replaceAll(/([\w$]+)\s+as\s+([\w$]+)/g, '$2:$1');

/** One static import as the bundler writes it, as a call of `require`. */
function required(statement, specifier) {
  const call = `require(${JSON.stringify(specifier)});`;
  const clause = /^import\s*(.*?)\s*(?:from\s*)?["']/s.exec(statement)[1];
  if (clause === '') return call;
  const [, one, names] = /^(?:\*\s*as\s+)?([\w$]*),?(\{.*\})?$/s.exec(clause);
  return (one ? `const ${one}=${call}` : '') + (names ? `const${pattern(names)}=${call}` : '');
}

/**
 * A module of the bundler's output as the body of a function (require) that returns its exports, and the names of
 * the other modules of the output that it requires when it runs. What another module exports becomes a constant of
 * this one, which is as fast as its own, and shorter than a property of the module: so an export must have its value
 * when its module has run, and keep it.
 */
export function asFunctionBody(text) {
  const [imports, exports] = parse(text);
  const needed = [];
  let head = '"use strict";';
  let body = '';
  let at = 0;
  for (const { type, specifier, importStart, importEnd } of imports) {
    body += text.slice(at, importStart);
    at = importEnd;
    if (type === 'static') {
      head += required(text.slice(importStart, importEnd), specifier);
      if (specifier.startsWith('./')) needed.push(specifier.slice(2));
      if (text[at] === ';') at++;
    } else if (type === 'dynamic' && specifier) {
      body += `Promise.resolve().then(()=>require(${JSON.stringify(specifier)}))`;
    } else {
      throw new Error(`the bundler left: ${text.slice(importStart, importEnd)}`);
    }
  }
  const exported = exports[0]?.exportStart ?? text.length;
  body += text.slice(at, exported);
  const statement = /^export(\{[^}]*\});\s*$/.exec(text.slice(exported));
  if (exports.length > 0 && !statement) throw new Error(`the bundler left: ${text.slice(exported)}`);
  if (statement) body += `return${object(statement[1])};`;
  return { body: head + body, required: needed };
}
