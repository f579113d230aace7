// Errands with posts.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const USERS = ['ana', 'bruno', 'carla', 'deniz', 'elif', 'frank', 'greta', 'hanna'];
const CONTENTS = [
  'Rain again today',
  'The garden is in bloom',
  'New shoes, same road',
  'Coffee first',
  'What a match',
  'Back home',
];
const TAGS = ['#weather', '#garden', '#running', '#coffee', '#football', '#home'];
const COMMENTS = ['Well said', 'I agree', 'Tell me more', 'So true', 'Lovely'];

class Posts implements Scene {
  readonly config: Scene['config'];
  #count: number;
  readonly #following: string[];
  readonly #retweeted = new Set<number>();

  constructor(random: Random) {
    this.#count = 2 + random.below(3);
    this.#following = random.shuffled(USERS).slice(0, 2);
    const tweet = (id: number): object => ({
      ...{ id, username: random.pick(USERS), content: random.pick(CONTENTS), tags: [random.pick(TAGS)], mentions: [] },
    });
    this.config = {
      ...{ username: 'me', password: 'secret', authenticated: true, tweet_counter: this.#count },
      tweets: Object.fromEntries(Array.from({ length: this.#count }, (_, id) => [String(id), tweet(id)])),
      ...{ comments: {}, retweets: {}, following_list: [...this.#following] },
    };
  }

  errand(random: Random): Errand | null {
    const id = random.below(this.#count);
    const user = random.pick(USERS);
    switch (random.below(7)) {
      case 0:
        return this.#post(random);
      case 1: {
        const content = random.pick(COMMENTS);
        const request = say(
          random,
          `Comment '${content}' on tweet ${id}.`,
          `Answer tweet ${id} with the comment '${content}'.`,
        );
        return { request, calls: [call('comment', { tweet_id: id, comment_content: content })] };
      }
      case 2: {
        if (this.#retweeted.has(id)) return null;
        this.#retweeted.add(id);
        return {
          request: say(random, `Retweet tweet ${id}.`, `Share tweet ${id} as a retweet.`),
          calls: [call('retweet', { tweet_id: id })],
        };
      }
      case 3: {
        if (this.#following.includes(user)) return null;
        this.#following.push(user);
        return {
          request: say(random, `Follow ${user}.`, `I want to follow ${user}.`),
          calls: [call('follow_user', { username_to_follow: user })],
        };
      }
      case 4: {
        const gone = this.#following.pop();
        if (gone === undefined) return null;
        return {
          request: say(random, `Unfollow ${gone}.`, `Stop following ${gone}.`),
          calls: [call('unfollow_user', { username_to_unfollow: gone })],
        };
      }
      case 5:
        return {
          request: `Mention ${user} in tweet ${id}.`,
          calls: [call('mention', { tweet_id: id, mentioned_usernames: [user] })],
        };
      default:
        return {
          request: say(random, `Show me tweet ${id}.`, `What does tweet ${id} say?`),
          calls: [call('get_tweet', { tweet_id: id })],
        };
    }
  }

  #post(random: Random): Errand {
    const [content, tag] = [random.pick(CONTENTS), random.pick(TAGS)];
    this.#count++;
    if (random.chance(0.5)) {
      return {
        request: say(random, `Post '${content}'.`, `Tweet this: '${content}'.`),
        calls: [call('post_tweet', { content })],
      };
    }
    const request = say(random, `Post '${content}' with the tag ${tag}.`, `Tweet '${content}', tagged ${tag}.`);
    return { request, calls: [call('post_tweet', { content, tags: [tag] })] };
  }
}

export const posting: Family = {
  className: 'TwitterAPI',
  scene: (random) => new Posts(random),
  documents: documents(`
    authenticate_twitter(username: str, password: str): Log in.
    posting_get_login_status(): Whether the user is logged in.
    post_tweet(content: str, tags?: texts, mentions?: texts): Post a tweet, with tags (#...) and users that it mentions.
    retweet(tweet_id: int): Retweet a tweet.
    comment(tweet_id: int, comment_content: str): Comment on a tweet.
    mention(tweet_id: int, mentioned_usernames: texts): Add users to those that a tweet mentions.
    follow_user(username_to_follow: str): Follow a user.
    list_all_following(): Whom the user follows.
    unfollow_user(username_to_unfollow: str): Follow a user no longer.
    get_tweet(tweet_id: int): A tweet by its id.
    get_user_tweets(username: str): The tweets of a user.
    search_tweets(keyword: str): Tweets that contain a word, or have it as a tag.
    get_tweet_comments(tweet_id: int): The comments on a tweet.
    get_user_stats(username: str): How much a user has posted and retweeted, and how many the user follows.
  `),
};
