import { test } from 'uvu';
import * as assert from 'uvu/assert';
// @ts-expect-error build scripts are plain JavaScript
import { asFunctionBody } from '../../scripts/functionBody.mjs';
// @ts-expect-error build scripts are plain JavaScript
import { shortenLocals } from '../../scripts/shortLocals.mjs';

/** Runs a module's body with modules by their names, and returns its exports. */
function run(text: string, modules: Record<string, unknown> = {}): Record<string, unknown> {
  return new Function('require', asFunctionBody(text).body)((name: string) => modules[name]);
}

test('every form of import that the bundler writes', () => {
  const text =
    'import{a,b as c,default as d}from"./x.js";import e from"node:e";import*as f from"node:f";import g,{h}from"node:g";' +
    'import"./y.js";var all=[a,c,d,e.one,f.two,g.h,h];export{all};';
  const { body, required } = asFunctionBody(text);
  assert.equal(required, ['x.js', 'y.js']);
  assert.not.match(body, /import|export/);
  const modules = {
    './x.js': { a: 1, b: 2, default: 3 },
    'node:e': { one: 4 },
    'node:f': { two: 5 },
    'node:g': { h: 6 },
  };
  assert.equal(run(text, modules).all, [1, 2, 3, 4, 5, 6, 6]);
});

test('imports come first, wherever they stand', () => {
  assert.equal(run('var b=a+1;import{a}from"./x.js";export{b as c,b};', { './x.js': { a: 1 } }), {
    c: 2,
    b: 2,
  });
});

test('what a module imports it may export; a module may export nothing', () => {
  assert.equal(run('import{a as b}from"./x.js";export{b as c};', { './x.js': { a: 7 } }), { c: 7 });
  assert.is(run('var a=1;'), undefined);
});

test('a module that is imported when it is needed comes by a promise', async () => {
  const text = 'var load=()=>import("./x.js");export{load};';
  assert.equal(asFunctionBody(text).required, []);
  const { load } = run(text, { './x.js': { a: 1 } }) as { load: () => Promise<unknown> };
  assert.equal(await load(), { a: 1 });
});

test('words in strings and templates are no imports', () => {
  const text = 'var a="import{b}from\\"c\\"",d=`export{e}`;export{a,d};';
  assert.equal(run(text), { a: 'import{b}from"c"', d: 'export{e}' });
});

test('what the bundler is not known to write ends the build', () => {
  for (const text of [
    'export var a=1;',
    'var a=import.meta.url;',
    'export*from"./x.js";',
    'var a=b=>import(b);',
  ]) {
    assert.throws(() => asFunctionBody(text), /the bundler left/, text);
  }
});

test('short locals: what a stack trace names keeps its name, and texts stay', async () => {
  const code: string = await shortenLocals(
    'var moduleName=1;class Klass{#field=2;async#wait(argument){return argument+this.#field}static has(other){return#field in other}' +
      'text(){return "a #tag #b"}run(){return this.#wait(moduleName)}}function named(parameter){return parameter}return{Klass,named};',
  );
  for (const name of ['moduleName', 'Klass', '#field', '#wait', 'named']) assert.match(code, name);
  for (const name of ['argument', 'other', 'parameter', '__private_']) assert.not.match(code, name);
  const { Klass, named } = new Function(code)();
  assert.is(await new Klass().run(), 3);
  assert.is(new Klass().text(), 'a #tag #b');
  assert.is(Klass.has(new Klass()), true);
  assert.is(named(4), 4);
});

test.run();
