/** strerror(3) of what sockets and files fail with. */
const texts: Readonly<Record<number, string>> = {
  1: 'Operation not permitted',
  2: 'No such file or directory',
  4: 'Interrupted system call',
  5: 'Input/output error',
  11: 'Resource temporarily unavailable',
  12: 'Cannot allocate memory',
  13: 'Permission denied',
  16: 'Device or resource busy',
  17: 'File exists',
  19: 'No such device',
  20: 'Not a directory',
  21: 'Is a directory',
  22: 'Invalid argument',
  24: 'Too many open files',
  26: 'Text file busy',
  28: 'No space left on device',
  30: 'Read-only file system',
  34: 'Numerical result out of range',
  36: 'File name too long',
  40: 'Too many levels of symbolic links',
  71: 'Protocol error',
  75: 'Value too large for defined data type',
  90: 'Message too long',
  93: 'Protocol not supported',
  95: 'Operation not supported',
  97: 'Address family not supported by protocol',
  105: 'No buffer space available',
  110: 'Connection timed out',
  111: 'Connection refused',
};

/** The text of a positive errno of Linux, as glibc has it. */
export function systemErrorText(errno: number): string {
  return texts[errno] ?? `Unknown error ${errno}`;
}
