<?php
// What a Laravel app does with config/broadcasting.php as it is: the framework's own broadcaster sends an event, and answers
// a page that wants into a channel. It reads what to do from its input, as JSON, and prints the answer.
//
// The class that the broadcaster calls is no part of the framework: pusher/pusher-php-server comes from Packagist alone. The
// one below stands in its place, and makes its requests and signatures as Pusher's documentation says.

namespace Pusher {
    class ApiErrorException extends \Exception
    {
    }

    class Pusher
    {
        public function __construct(private string $key, private string $secret, private string $app, private string $url)
        {
        }

        public function trigger($channels, string $event, $data, array $parameters = []): object
        {
            $body = json_encode(['name' => $event, 'data' => json_encode($data), 'channels' => array_values($channels)] + $parameters);
            $path = "/apps/{$this->app}/events";
            $query = "auth_key={$this->key}&auth_timestamp=" . time() . '&auth_version=1.0&body_md5=' . md5($body);
            $signature = hash_hmac('sha256', "POST\n$path\n$query", $this->secret);
            $context = stream_context_create(['http' => [
                'method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $body,
                'ignore_errors' => true, 'timeout' => 20,
            ]]);
            $answer = file_get_contents("{$this->url}$path?$query&auth_signature=$signature", false, $context);
            if (!preg_match('# 2\d\d #', $http_response_header[0])) {
                throw new ApiErrorException($answer);
            }
            return json_decode($answer);
        }

        public function socket_auth(string $channel, string $socket, ?string $data = null): string
        {
            $signed = "$socket:$channel" . ($data === null ? '' : ":$data");
            $auth = ['auth' => $this->key . ':' . hash_hmac('sha256', $signed, $this->secret)];
            return json_encode($data === null ? $auth : $auth + ['channel_data' => $data]);
        }

        public function presence_auth(string $channel, string $socket, string $user, $info = null): string
        {
            $data = ['user_id' => $user] + ($info ? ['user_info' => $info] : []);
            return $this->socket_auth($channel, $socket, json_encode($data));
        }
    }
}

namespace {
    require '/usr/share/php/Illuminate/Broadcasting/autoload.php';
    require '/usr/share/php/Illuminate/Http/autoload.php';

    use Illuminate\Broadcasting\BroadcastException;
    use Illuminate\Broadcasting\Broadcasters\PusherBroadcaster;
    use Illuminate\Broadcasting\PresenceChannel;
    use Illuminate\Broadcasting\PrivateChannel;
    use Illuminate\Http\Request;

    class User
    {
        public function __construct(public string $id)
        {
        }

        public function getAuthIdentifierForBroadcasting(): string
        {
            return $this->id;
        }
    }

    $asked = json_decode(stream_get_contents(STDIN), true);
    $broadcaster = new PusherBroadcaster(new Pusher\Pusher(...$asked['app']));
    // As in routes/channels.php.
    $broadcaster->channel('orders.{id}', fn ($user, $id) => $user->id === 'ann');
    $broadcaster->channel('hall', fn ($user) => ['name' => ucfirst($user->id)]);
    try {
        if (isset($asked['event'])) {
            $channels = [...$asked['channels'], new PrivateChannel('orders.7'), new PresenceChannel('hall')];
            $answer = $broadcaster->broadcast($channels, $asked['event'], $asked['payload']);
        } else {
            $request = Request::create('/broadcasting/auth', 'POST', $asked['auth']);
            $request->setUserResolver(fn () => new User($asked['user']));
            $answer = $broadcaster->auth($request);
        }
        echo json_encode(['answer' => $answer]);
    } catch (BroadcastException $error) {
        echo json_encode(['error' => $error->getMessage()]);
    } catch (Symfony\Component\HttpKernel\Exception\AccessDeniedHttpException) {
        echo json_encode(['error' => 'denied']);
    }
}
