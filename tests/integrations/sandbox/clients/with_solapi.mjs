// Run by node in .venv-clients-node: what SOLAPI's own SDK for Node makes of the sandbox, as one JSON document on stdout.
// Arguments: base URL, API key, API secret, sender number, channel, template, directory to write in.
import {writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

const [folder, base, key, secret, sender, channel, template, directory] = process.argv.slice(2);
const {SolapiMessageService} = createRequire(join(folder, 'x.js'))('solapi');

// The SDK takes no address; its requests are turned round below it.
const real = globalThis.fetch;
globalThis.fetch = (url, options) => real(String(url).replace('https://api.solapi.com', base), options);

const service = new SolapiMessageService(key, secret);
const found = {before: (await service.getBalance()).balance};

const picture = join(directory, 'picture.jpg');
writeFileSync(picture, Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(1000)]));
const mms = await service.uploadFile(picture, 'MMS', 'picture.jpg');
const free = await service.uploadFile(picture, 'BMS', 'picture.jpg');

const variables = {'#{고객명}': '김하나', '#{주문번호}': 'A-1', '#{상품명}': '밀키트', '#{결제금액}': '12,900'};
const bms = {targeting: 'I', chatBubbleType: 'TEXT'};
const buttons = [{linkType: 'WL', name: '보러 가기', linkMobile: 'https://harutable.example'}];
const sent = await service.send(
  [
    {to: '01040001000', from: sender, text: '짧은 문자', customFields: {id: 'sms'}},
    {to: '01040001001', from: sender, text: '긴 문자입니다. '.repeat(10), subject: '하루식탁'},
    {to: '01040001006', from: sender, text: '사진', subject: '사진', imageId: mms.fileId, type: 'MMS'},
    {to: '01040000002', from: sender, kakaoOptions: {pfId: channel, templateId: template, variables}},
    {to: '01040001007', text: '이번 주 반찬이 나왔어요', type: 'BMS_FREE', from: sender,
      kakaoOptions: {pfId: channel, disableSms: true, bms: {...bms, buttons}}},
    {to: '01040001008', text: '사진이 있는 반찬', type: 'BMS_FREE', from: sender,
      kakaoOptions: {pfId: channel, bms: {...bms, chatBubbleType: 'IMAGE', imageId: free.fileId}}},
    {to: '01040000004', from: sender, text: '거부'},
  ],
  {showMessageList: true},
);
const group = sent.groupInfo.groupId;
found.group = group;
found.failed = sent.failedMessageList.map(one => [one.to, one.statusCode]);
found.accepted = sent.messageList.length;
found.status = (await service.getGroup(group)).status;
const inGroup = await service.getGroupMessages(group, {limit: 100});
found.inGroup = Object.fromEntries(
  Object.values(inGroup.messageList).map(one => [one.to, [one.type, one.statusCode, one.replacement]]),
);
const listed = await service.getMessages({groupId: group, limit: 2, dateType: 'UPDATED', startDate: new Date(0)});
found.listed = [Object.keys(listed.messageList).length, listed.nextKey !== null];
found.groups = Object.keys((await service.getGroups({groupId: group})).groupList);

const own = await service.createGroup(false, undefined, {batchId: 'b-1'});
await service.addMessagesToGroup(own, [
  {to: '01040001000', from: sender, text: '하나', type: 'SMS', autoTypeDetect: false},
  {to: '01040001001', from: sender, text: '둘', type: 'SMS', autoTypeDetect: false},
]);
const ids = Object.keys((await service.getGroupMessages(own)).messageList);
found.removed = (await service.removeGroupMessages(own, [ids[0]])).resultList[0].resultCode;
found.reserved = (await service.reserveGroup(own, new Date(Date.now() + 86_400_000))).status;
found.freed = (await service.removeReservationToGroup(own)).status;
found.sent = (await service.sendGroup(own)).status;
try {
  await service.sendGroup(own);
} catch (error) {
  found.twice = error.errorCode;
}
const empty = await service.createGroup();
found.deleted = (await service.removeGroup(empty)).status;
found.after = (await service.getBalance()).balance;

found.channels = (await service.getKakaoChannels()).channelList.map(one => one.searchId);
found.templates = (await service.getKakaoAlimtalkTemplates({limit: 100})).templateList.map(one => one.status);
found.template = (await service.getKakaoAlimtalkTemplate(template)).variables.length;
found.blacks = (await service.getBlacks({limit: 3})).blackList.length;
found.blockGroups = (await service.getBlockGroups()).blockGroups.length;
found.blockNumbers = (await service.getBlockNumbers()).blockNumbers.length;
found.statistics = (await service.getStatistics()).total.total;
try {
  await new SolapiMessageService(key, 'wrong').getBalance();
} catch (error) {
  found.wrongSecret = error.errorCode;
}
process.stdout.write(JSON.stringify(found));
