// Node warns of node:ffi as experimental on standard error. resteer chose it knowingly and falls back where it
// is missing, so its users have nothing to decide; every other warning is shown.
const emitWarning = process.emitWarning;

process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
  if (String(warning).startsWith('FFI is an experimental feature')) return;
  emitWarning.call(process, warning, ...rest);
}) as typeof process.emitWarning;
