import { CaptureError } from './captureError.ts';
import { OPT } from './constants.ts';

/**
 * Calls `visit` with the code and the bounds of each option of a pcapng block, as far as `stop`.
 * @param shift what makes a file's offset of a position in `view`, for errors
 * @throws CaptureError where one runs over the end
 */
export function walkOptions(
  view: DataView,
  start: number,
  stop: number,
  shift: number,
  isLittle: boolean,
  visit: (code: number, from: number, to: number) => void,
): void {
  for (let at = start; at < stop; ) {
    // blocks are multiples of four, so a header fits where anything does
    const code = view.getUint16(at, isLittle);
    const length = view.getUint16(at + 2, isLittle);
    if (code === OPT.ENDOFOPT) return;
    const from = at + 4;
    if (length > stop - from) {
      throw new CaptureError(`an option of ${length} bytes where ${stop - from} are left`, at + shift);
    }
    visit(code, from, from + length);
    at = from + ((length + 3) & ~3);
  }
}
