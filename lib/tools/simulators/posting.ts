// TwitterAPI of BFCL: posts, comments, followers.
import { at, contains, hasKey, iterate, keyOf, length, plus, textWith } from '../python/operations.ts';
import { str } from '../python/print.ts';
import { dict, isList, type PythonDict, type PythonValue, pythonEqual, truthy, typeName } from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenList, type List } from './base.ts';

export class PostingApi extends BaseSimulator {
  #username: PythonValue = null;
  #password: PythonValue = null;
  #authenticated: PythonValue = false;
  #tweets: PythonDict = new Map();
  #comments: PythonDict = new Map();
  #retweets: PythonDict = new Map();
  #following: List = [];
  #counter: PythonValue = 0;

  constructor(clock: Clock) {
    super(clock);
    this.define('authenticate_twitter(username, password)', (username, password) => this.#logIn(username!, password!));
    this.define('posting_get_login_status()', () => dict({ login_status: truthy(this.#authenticated) }));
    this.#defineForUsers('post_tweet(content, tags=[], mentions=[])', 'posting', (content, tags, mentions) =>
      this.#post(content!, tags!, mentions!),
    );
    this.#defineForUsers('retweet(tweet_id)', 'retweeting', (id) => this.#retweet(id!));
    this.#defineForUsers('comment(tweet_id, comment_content)', 'commenting', (id, content) =>
      this.#comment(id!, content!),
    );
    this.define('mention(tweet_id, mentioned_usernames)', (id, names) => this.#mention(id!, names!));
    this.#defineForUsers('follow_user(username_to_follow)', 'following', (name) => this.#follow(name!));
    this.#defineForUsers('list_all_following()', 'listing following', () => dict({ following_list: this.#following }));
    this.#defineForUsers('unfollow_user(username_to_unfollow)', 'unfollowing', (name) => this.#unfollow(name!));
    this.define('get_tweet(tweet_id)', (id) => this.#tweet(id!) ?? notFound(id!));
    this.define('get_user_tweets(username)', (username) => this.#tweetsBy(username!));
    this.define('search_tweets(keyword)', (keyword) => this.#search(keyword!));
    this.define('get_tweet_comments(tweet_id)', (id) =>
      hasKey(this.#tweets, id!) ? (this.#comments.get(keyOf(id!)!) ?? []) : notFound(id!),
    );
    this.define('get_user_stats(username)', (username) => this.#statistics(username!));
  }

  /** A method that wants the user to be logged in. */
  #defineForUsers(signature: string, doing: string, run: (...values: PythonValue[]) => PythonValue): void {
    this.define(signature, (...values) =>
      truthy(this.#authenticated)
        ? run(...values)
        : error(`User not authenticated. Please authenticate before ${doing}.`),
    );
  }

  load(config: PythonDict): void {
    this.#username = given(config, 'username', 'john');
    this.#password = given(config, 'password', 'john123');
    this.#authenticated = given(config, 'authenticated', false);
    const tweets = givenDict(config, 'tweets', new Map());
    this.#tweets = new Map(Array.from(tweets, ([key, tweet]) => [Number(key), tweet]));
    this.#comments = givenDict(config, 'comments', new Map());
    this.#retweets = givenDict(config, 'retweets', new Map());
    this.#following = givenList(config, 'following_list', ['alice', 'bob']);
    this.#counter = given(config, 'tweet_counter', 0);
  }

  state(): PythonDict {
    return dict({
      username: this.#username,
      password: this.#password,
      authenticated: this.#authenticated,
      tweets: this.#tweets,
      comments: this.#comments,
      retweets: this.#retweets,
      following_list: this.#following,
      tweet_counter: this.#counter,
    });
  }

  #logIn(username: PythonValue, password: PythonValue): PythonValue {
    const right = pythonEqual(username, this.#username) && pythonEqual(password, this.#password);
    if (right) this.#authenticated = true;
    return dict({ authentication_status: right });
  }

  #tweet(id: PythonValue): PythonValue | null {
    const key = keyOf(id);
    return key === null ? null : (this.#tweets.get(key) ?? null);
  }

  #tweetsBy(username: PythonValue): PythonValue[] {
    return [...this.#tweets.values()].filter((tweet) => pythonEqual(at(tweet, 'username'), username));
  }

  #post(content: PythonValue, tags: PythonValue, mentions: PythonValue): PythonValue {
    const tweet = dict({ id: this.#counter, username: this.#username, content, tags, mentions });
    this.#tweets.set(keyOf(this.#counter)!, tweet);
    this.#counter = plus(this.#counter, 1);
    return tweet;
  }

  #retweet(id: PythonValue): PythonValue {
    if (!hasKey(this.#tweets, id)) return notFound(id);
    const own = listAt(this.#retweets, keyOf(this.#username)!);
    if (contains(own, id)) return dict({ retweet_status: 'Already retweeted' });
    own.push(id);
    return dict({ retweet_status: 'Successfully retweeted' });
  }

  #comment(id: PythonValue, content: PythonValue): PythonValue {
    if (!hasKey(this.#tweets, id)) return notFound(id);
    listAt(this.#comments, keyOf(id)!).push(dict({ username: this.#username, content }));
    return dict({ comment_status: 'Comment added successfully' });
  }

  #mention(id: PythonValue, names: PythonValue): PythonValue {
    const tweet = this.#tweet(id);
    if (tweet === null) return notFound(id);
    const mentions = at(tweet, 'mentions');
    if (!isList(mentions)) throw new PythonError(`'${typeName(mentions)}' object has no attribute 'extend'`);
    (mentions as List).push(...iterate(names));
    return dict({ mention_status: 'Users mentioned successfully' });
  }

  #follow(name: PythonValue): PythonValue {
    const fresh = !contains(this.#following, name);
    if (fresh) this.#following.push(name);
    return dict({ follow_status: fresh });
  }

  #unfollow(name: PythonValue): PythonValue {
    const index = this.#following.findIndex((known) => pythonEqual(known, name));
    if (index >= 0) this.#following.splice(index, 1);
    return dict({ unfollow_status: index >= 0 });
  }

  #search(keyword: PythonValue): PythonValue {
    return [...this.#tweets.values()].filter((tweet) => {
      const wanted = lower(keyword);
      return lower(at(tweet, 'content')).includes(wanted) || iterate(at(tweet, 'tags')).map(lower).includes(wanted);
    });
  }

  #statistics(username: PythonValue): PythonValue {
    const own = pythonEqual(username, this.#username);
    const key = keyOf(username);
    return dict({
      tweet_count: this.#tweetsBy(username).length,
      following_count: own ? this.#following.length : 0,
      retweet_count: length((key === null ? undefined : this.#retweets.get(key)) ?? []),
    });
  }
}

const notFound = (id: PythonValue): PythonDict => error(`Tweet with ID ${str(id)} not found.`);

const lower = (x: PythonValue): string => textWith(x, 'lower').toLowerCase();

/** The list of a key; an empty one where there was none. */
function listAt(lists: PythonDict, key: string | number): List {
  const list = (lists.get(key) ?? []) as List;
  lists.set(key, list);
  return list;
}
