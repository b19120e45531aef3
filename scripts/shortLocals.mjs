import { minify } from 'terser';

/** What stands for the # of private names meanwhile, behind a space: terser would shorten them, and has no option for it. */
const hash = '__private_';

/**
 * The body of a function with short names for what is local to the functions in it, a tenth of the program. The names
 * that a stack trace shows stay: of functions, classes and methods, and what a module declares.
 */
export async function shortenLocals(body) {
  if (body.includes(hash)) throw new Error(`${hash} is a name of the program's own`);
  const { code } = await minify(body.replaceAll(/#(?=[A-Za-z])/g, ` ${hash}`), {
    parse: { bare_returns: true },
    compress: false,
    mangle: { keep_fnames: true, keep_classnames: true },
    // short lines give a stack trace line numbers that say something
    format: { ascii_only: true, max_line_len: 200 },
  });
  return code.replaceAll(new RegExp(` ?${hash}`, 'g'), '#');
}
