import type { SetTypeName } from '../../ipset/setType.ts';

/** Commands to begin with, for each type; `help TYPE` shows them. A test runs every one. */
export const typeExamples: Readonly<Record<SetTypeName, readonly string[]>> = {
  'bitmap:ip': [
    'create lan bitmap:ip range 192.168.1.0/24',
    'add lan 192.168.1.10',
    'add lan 192.168.1.20-192.168.1.29',
    'test lan 192.168.1.25',
  ],
  'bitmap:ip,mac': [
    'create known bitmap:ip,mac range 192.168.1.0/24',
    'add known 192.168.1.10,02:00:00:00:00:0A',
    'test known 192.168.1.10,02:00:00:00:00:0A',
  ],
  'bitmap:port': [
    'create open bitmap:port range 0-1023',
    'add open 80',
    'add open udp:domain',
    'test open 53',
  ],
  'hash:ip': [
    'create guests hash:ip timeout 3600',
    'add guests 203.0.113.7',
    'add guests 203.0.113.8 timeout 60',
    'test guests 203.0.113.7',
    'create guests6 hash:ip family inet6',
    'add guests6 2001:db8::7',
  ],
  'hash:mac': ['create phones hash:mac', 'add phones 02:00:00:00:00:0A', 'test phones 02:00:00:00:00:0A'],
  'hash:ip,mac': [
    'create leases hash:ip,mac',
    'add leases 192.168.1.10,02:00:00:00:00:0A',
    'test leases 192.168.1.10,02:00:00:00:00:0A',
  ],
  'hash:net': [
    'create blocked hash:net comment',
    'add blocked 198.51.100.0/24 comment "a noisy network"',
    'add blocked 198.51.100.7 nomatch',
    'test blocked 198.51.100.8',
  ],
  'hash:net,net': [
    'create pairs hash:net,net',
    'add pairs 192.168.0.0/24,10.0.54.0/24',
    'test pairs 192.168.0.1,10.0.54.1',
  ],
  'hash:ip,port': [
    'create services hash:ip,port',
    'add services 192.0.2.1,80-82',
    'add services 192.0.2.1,udp:53',
    'add services 192.0.2.1,icmp:ping',
    'test services 192.0.2.1,80',
  ],
  'hash:net,port': ['create mail hash:net,port', 'add mail 192.0.2.0/24,smtp', 'test mail 192.0.2.25,tcp:25'],
  'hash:ip,port,ip': [
    'create talks hash:ip,port,ip',
    'add talks 192.168.1.1,80,10.0.0.1',
    'test talks 192.168.1.1,tcp:80,10.0.0.1',
  ],
  'hash:ip,port,net': [
    'create allowed hash:ip,port,net',
    'add allowed 192.168.1.1,80,10.0.0.0/24',
    'test allowed 192.168.1.1,80,10.0.0.7',
  ],
  'hash:ip,mark': [
    'create marked hash:ip,mark',
    'add marked 192.168.1.1,0x200',
    'test marked 192.168.1.1,512',
  ],
  'hash:net,port,net': [
    'create routes hash:net,port,net',
    'add routes 192.168.1.0/24,0,10.0.54.0/24',
    'test routes 192.168.1.7,0,10.0.54.9',
  ],
  'hash:net,iface': [
    'create uplinks hash:net,iface',
    'add uplinks 192.0.2.0/24,eth0',
    'add uplinks 198.51.100.0/24,wan wildcard',
    'test uplinks 192.0.2.1,eth0',
  ],
  'list:set': [
    'create office hash:net',
    'create partners hash:net',
    'create friends list:set',
    'add friends office',
    'add friends partners before office',
    'test friends office',
  ],
};
