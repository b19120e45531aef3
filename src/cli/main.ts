// first, since node:ffi warns when it is loaded
import './quietFfi.ts';
import { EXIT } from './io.ts';
import { asCalled } from './multicall.ts';
import { run } from './run.ts';

// whoever reads our output may stop reading: `resteer ... | head`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.DONE : EXIT.FAILED);
});

// the exit code is set and not forced, so that what a pipe has not taken yet is still written
run(asCalled(process.argv[1], process.argv.slice(2)), process).then((code) => {
  process.exitCode = code;
});
