import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../../lib/errors.ts';
import { repr } from '../../../lib/tools/python/print.ts';
import { SIMULATORS } from '../../../lib/tools/simulators/registry.ts';
import { CLOCK, episodeOf, play } from '../../support/tools.ts';

test('every simulator starts without a configuration, and has a state', () => {
  for (const [name, type] of SIMULATORS) {
    const simulator = new type(CLOCK);
    simulator.load(new Map());
    assert.ok(simulator.methods.size > 0, name);
    assert.equal(simulator.state() instanceof Map, true, name);
  }
});

test('what has no fillers for long contexts says so', () => {
  for (const name of ['GorillaFileSystem', 'TradingBot', 'TravelAPI', 'VehicleControlAPI']) {
    const simulator = new (SIMULATORS.get(name)!)(CLOCK);
    assert.throws(
      () => simulator.load(new Map(), true),
      (error) => error instanceof UserError && error.message.startsWith(`${name} has no fillers`),
    );
  }
});

test('a configuration of the wrong shape is an error that says where', () => {
  assert.throws(
    () => episodeOf('MessageAPI', { inbox: 'x' }),
    /^UserError: initial_config: inbox must be a list, not str$/,
  );
  assert.throws(() => episodeOf('TwitterAPI', { tweets: [] }), /tweets must be a dict, not list/);
  assert.throws(() => episodeOf('GorillaFileSystem', { root: { home: {} } }), /the directory home must have contents/);
});

const TREE = {
  root: {
    home: {
      type: 'directory',
      contents: {
        '.hidden': { type: 'file', content: '' },
        'a.txt': { type: 'file', content: 'pear fig\napple\n' },
        docs: { type: 'directory', contents: { 'b.txt': { type: 'file', content: 'é' } } },
      },
    },
  },
};

test('GorillaFileSystem: looking around', () => {
  play('GorillaFileSystem', TREE, [
    ['pwd()', '{"current_working_directory": "/home"}'],
    ['ls()', '{"current_directory_content": ["a.txt", "docs"]}'],
    ['ls(a=True)', '{"current_directory_content": [".hidden", "a.txt", "docs"]}'],
    ["find(name='b')", '{"matches": ["./docs/b.txt"]}'],
    ["find(path='docs/')", '{"matches": ["docs/b.txt"]}'],
    ["find(path='no')", `{"error": "find: 'no': No such file or directory"}`],
    ["cat('a.txt')", '{"file_content": "pear fig\\napple\\n"}'],
    ["cat('docs')", `{"error": "cat: 'docs': Is a directory"}`],
    ["sort('a.txt')", '{"sorted_content": "apple\\npear fig"}'],
    ["grep('a.txt', 'p')", '{"matching_lines": ["pear fig", "apple"]}'],
    ["wc('a.txt')", '{"count": 2, "type": "lines"}'],
    ["wc('a.txt', mode='w')", '{"count": 3, "type": "words"}'],
    ["wc('a.txt', 'c')", '{"count": 15, "type": "characters"}'],
    ["tail('a.txt', 1)", '{"last_lines": "apple"}'],
    ["tail('a.txt', 0)", '{"last_lines": "pear fig\\napple"}'],
    ['du()', '{"disk_usage": "17 bytes"}'],
    ['du(human_readable=True)', '{"disk_usage": "17.00 B"}'],
    [
      "cd('docs/b.txt')",
      '{"error": "cd: docs/b.txt: Unsupported path. Only one folder level at a time is supported."}',
    ],
    ["cd('docs/')", '{"current_working_directory": "docs"}'],
    ['pwd()', '{"current_working_directory": "/home/docs"}'],
    ["cd('..')", '{}'],
    ["cd('..')", '{"error": "Current directory is already the root. Cannot go back."}'],
    ['cd(5)', "Error during execution: 'int' object has no attribute 'rstrip'"],
    ['mkdir([])', "Error during execution: unhashable type: 'list'"],
  ]);
});

test('GorillaFileSystem: changing things', () => {
  play('GorillaFileSystem', TREE, [
    ["mkdir('new')", 'None'],
    ["mkdir('new')", `{"error": "mkdir: cannot create directory 'new': File exists"}`],
    ["touch('a/b')", `{"error": "touch: cannot touch 'a/b': Invalid character"}`],
    ["echo('hi', 'c.txt')", `{"error": "echo: cannot write to 'c.txt': No such file"}`],
    ["touch('c.txt')", 'None'],
    ["echo('hi', 'c.txt')", 'None'],
    ["diff('a.txt', 'c.txt')", '{"diff_lines": "- pear fig\\n+ hi"}'],
    ["cp('c.txt', 'new')", `{"result": "'c.txt' copied to 'new/c.txt'"}`],
    ["cp('c.txt', 'new')", "Error during execution: File 'c.txt' already exists in directory 'new'."],
    ["mv('c.txt', 'new')", `{"error": "mv: cannot move 'c.txt' to 'new/c.txt': File exists"}`],
    ["mv('c.txt', 'a.txt')", `{"error": "mv: cannot move 'c.txt' to 'a.txt': Not a directory"}`],
    ["mv('c.txt', 'd.txt')", `{"result": "'c.txt' moved to 'd.txt'"}`],
    ["mv('docs', 'new')", `{"result": "'docs' moved to 'new/docs'"}`],
    ["find(path='new')", '{"matches": ["new/c.txt", "new/docs", "new/docs/b.txt"]}'],
    ["rmdir('new')", `{"error": "rmdir: cannot remove 'new': Directory not empty"}`],
    ["rmdir('a.txt')", `{"error": "rmdir: cannot remove 'a.txt': Not a directory"}`],
    ["rm('new')", `{"result": "'new' removed"}`],
    ['ls()', '{"current_directory_content": ["a.txt", "d.txt"]}'],
  ]);
});

test('GorillaFileSystem: folders without end do not hang', () => {
  const episode = episodeOf('GorillaFileSystem', TREE);
  episode.run("cp('docs', 'docs')");
  assert.match(episode.run('find()'), /^Error during execution: maximum recursion depth exceeded/);
  assert.match(episode.run('du()'), /^Error/);
  assert.ok(episode.state().size > 0);
  const growing = episodeOf('GorillaFileSystem', TREE);
  for (let i = 0; i < 40; i++) {
    growing.run("cp('docs', 'twice')");
    growing.run("mv('twice', 'docs')");
    growing.run(`mkdir('n${i}')`);
    growing.run(`mv('docs', 'n${i}')`);
    growing.run(`cp('n${i}', 'docs')`);
  }
  growing.run('find()');
  assert.ok(growing.state().size > 0);
});

const TOO_LONG =
  'Error during execution: Exceeds the limit (4300 digits) for integer string conversion; ' +
  'use sys.set_int_max_str_digits() to increase the limit';

test('MathAPI: numbers as Python has them', () => {
  play('MathAPI', {}, [
    ['add(1, 2)', '{"result": 3}'],
    ['add(a=1, b=2.0)', '{"result": 3.0}'],
    ["add('a', 'b')", '{"result": "ab"}'],
    ["add('a', 1)", '{"error": "Both inputs must be numbers"}'],
    ['subtract(True, 3)', '{"result": -2}'],
    ["multiply('a', 2)", '{"error": "Both inputs must be numbers"}'],
    ['multiply(99999999999, 99999999999)', '{"result": 9999999999800000000001}'],
    ['divide(10000000000000000000001, 3)', '{"result": 3.3333333333333335e+21}'],
    ['divide(1, 0)', '{"error": "Cannot divide by zero"}'],
    ['divide(6, 3)', '{"result": 2.0}'],
    ['percentage(1, 3)', '{"result": 33.33333333333333}'],
    ['power(2, 100)', '{"result": 1267650600228229401496703205376}'],
    ['power(2, -1)', '{"result": 0.5}'],
    ['power(0, -1)', 'Error during execution: 0.0 cannot be raised to a negative power'],
    ['power(10.0, 400)', "Error during execution: (34, 'Numerical result out of range')"],
    ['power(-8, 0.5)', "{'result': (1.7319121124709868e-16+2.8284271247461903j)}"],
    ['power(8.156118608947828, 1.5)', '{"result": 23.292993162781936}'],
    ['power(5678464555026658606662, 1.5)', '{"result": 4.2790403217311634e+32}'],
    ['power(10, 4300)', TOO_LONG],
    [`multiply(${'9'.repeat(4000)}, ${'9'.repeat(4000)})`, TOO_LONG],
    ['add(1e400, 1)', '{"result": Infinity}'],
    [`add(1${'0'.repeat(400)}, 1.0)`, 'Error during execution: int too large to convert to float'],
    ['round_number(2.5)', '{"result": 2.0}'],
    ['round_number(2.675, 2)', '{"result": 2.67}'],
    ['round_number(1234.5, -2)', '{"result": 1200.0}'],
    ['round_number(1250, -2)', '{"result": 1200}'],
    ['round_number(7, 2)', '{"result": 7}'],
    ['round_number(1.5, 200)', '{"result": 1.5}'],
    ["round_number('a')", '{"error": "First input must be a number, second input must be an integer"}'],
    ['mean([1, 2, 4])', '{"result": 2.3333333333333335}'],
    ['mean([])', '{"error": "Cannot calculate mean of an empty list"}'],
    ["mean(['a'])", '{"error": "All elements in the list must be numbers"}'],
    ['standard_deviation([2, 4, 4, 4, 5, 5, 7, 9])', '{"result": 2.0}'],
    ['min_value([3, 1.0, 1])', '{"result": 1.0}'],
    ['max_value([3, 1.0, 1])', '{"result": 3}'],
    ['sum_values([0.1, 0.2, 0.3])', '{"result": 0.6000000000000001}'],
    ['absolute_value(-3)', '{"result": 3}'],
    ["si_unit_conversion(1, 'km', 'cm')", '{"result": 100000.0}'],
    ["si_unit_conversion(1, 'km', 'in')", `{"error": "Conversion from 'km' to 'in' is not supported"}`],
    ["imperial_si_conversion(100, 'celsius', 'fahrenheit')", '{"result": 212.0}'],
    ["imperial_si_conversion(5, 'x', 'x')", '{"result": 5}'],
  ]);
});

test('MathAPI: chosen precision', () => {
  play('MathAPI', {}, [
    ['square_root(2, 30)', "{'result': Decimal('1.41421356237309504880168872421')}"],
    ['square_root(100, 4)', "{'result': Decimal('10')}"],
    ['square_root(99.9, 1)', "{'result': Decimal('1E+1')}"],
    ['square_root(12345678, 3)', "{'result': Decimal('3.51E+3')}"],
    ['square_root(-1, 3)', '{"error": "Cannot calculate square root of a negative number"}'],
    ['square_root(2, 0)', 'Error during execution: valid range for prec is [1, MAX_PREC]'],
    ['square_root(1e999, 5)', "{'result': Decimal('Infinity')}"],
    ['logarithm(0.5, 10, 15)', "{'result': mpf('-0.30102999566398114')}"],
    ['logarithm(10, 2, 0)', "{'result': mpf('3.5')}"],
    ['logarithm(1.5, 164.0, 0)', "{'result': mpf('0.07813')}"],
    ['logarithm(1, 10, 5)', "{'result': mpf('0.0')}"],
    ['logarithm(0, 10, 5)', "{'result': mpf('-inf')}"],
    ['logarithm(5, 0, 5)', "{'result': mpf('0.0')}"],
    ['logarithm(1e999, 10, 5)', "{'result': mpf('+inf')}"],
    ['logarithm(10, 1, 5)', '{"error": ""}'],
    ['logarithm([1], 10, 5)', '{"error": "cannot create mpf from [1]"}'],
  ]);
});

test('MessageAPI', () => {
  play('MessageAPI', {}, [
    ['get_message_stats()', '{"error": "No user is currently logged in."}'],
    ["message_login('USR009')", `{"login_status": false, "message": "User ID 'USR009' not found."}`],
    ["message_login('USR001')", `{"login_status": true, "message": "User 'USR001' logged in successfully."}`],
    ["get_user_id('Bob')", '{"user_id": "USR002"}'],
    [
      "add_contact('Eve')",
      `{"added_status": true, "user_id": "USR005", "message": "Contact 'Eve' added successfully."}`,
    ],
    ["add_contact('Eve')", `{"error": "User name 'Eve' already exists."}`],
    [
      "add_contact('__proto__')",
      `{"added_status": true, "user_id": "USR006", "message": "Contact '__proto__' added successfully."}`,
    ],
    [
      "send_message('USR005', 'Hello')",
      `{"sent_status": true, "message_id": {"new_id": 67410}, "message": "Message sent to 'USR005' successfully."}`,
    ],
    ["search_messages('HELLO')", '{"results": [{"receiver_id": "USR005", "message": "Hello"}]}'],
    ['get_message_stats()', '{"stats": {"received_count": 4, "total_contacts": 4}}'],
    [
      "delete_message('USR005')",
      `{"deleted_status": true, "receiver_id": "USR005", "message": "Receiver USR005's latest message deleted successfully."}`,
    ],
    ["delete_message('USR005')", '{"error": "Receiver ID USR005 not found."}'],
    ['search_messages(5)', "Error during execution: 'int' object has no attribute 'lower'"],
  ]);
});

test('TwitterAPI', () => {
  const config = {
    username: 'ann',
    password: 'p',
    tweet_counter: 3,
    tweets: { 1: tweet(1, 'Old'), 2: tweet(2, 'new') },
  };
  play('TwitterAPI', config, [
    ["post_tweet('x')", '{"error": "User not authenticated. Please authenticate before posting."}'],
    ["authenticate_twitter('ann', 'q')", '{"authentication_status": false}'],
    ["authenticate_twitter('ann', 'p')", '{"authentication_status": true}'],
    ["post_tweet('x', ['#T'])", '{"id": 3, "username": "ann", "content": "x", "tags": ["#T"], "mentions": []}'],
    ["search_tweets('#t')", "[{'id': 3, 'username': 'ann', 'content': 'x', 'tags': ['#T'], 'mentions': []}]"],
    ["search_tweets('OLD')", "[{'id': 1, 'username': 'bob', 'content': 'Old', 'tags': [], 'mentions': []}]"],
    ['retweet(3)', '{"retweet_status": "Successfully retweeted"}'],
    ['retweet(3.0)', '{"retweet_status": "Already retweeted"}'],
    ["retweet('3')", '{"error": "Tweet with ID 3 not found."}'],
    ["comment(1, 'nice')", '{"comment_status": "Comment added successfully"}'],
    ['get_tweet_comments(1)', "[{'username': 'ann', 'content': 'nice'}]"],
    ["mention(1, ['@a', '@b'])", '{"mention_status": "Users mentioned successfully"}'],
    ['get_tweet(1)', '{"id": 1, "username": "bob", "content": "Old", "tags": [], "mentions": ["@a", "@b"]}'],
    ["follow_user('alice')", '{"follow_status": false}'],
    ["unfollow_user('alice')", '{"unfollow_status": true}'],
    ['list_all_following()', '{"following_list": ["bob"]}'],
    ["get_user_stats('ann')", '{"tweet_count": 1, "following_count": 1, "retweet_count": 1}'],
    ['get_tweet([])', "Error during execution: unhashable type: 'list'"],
  ]);
  const state = repr(episodeOf('TwitterAPI', config).state());
  assert.match(state, /'tweets': \{1: /); // the configuration's keys are texts, the API's are numbers
});

const tweet = (id: number, content: string): unknown => ({ id, username: 'bob', content, tags: [], mentions: [] });
