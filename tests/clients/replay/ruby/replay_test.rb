# Plain Net::HTTP under minitest: no SDK at all, which is what a language without one has.
require "json"
require "minitest/autorun"
require "net/http"

class ReplayTest < Minitest::Test
  SERVER = URI(ENV.fetch("ANTIPHON_REPLAY_URL"))
  HELLO = { model: "tiny-1", messages: [{ role: "user", content: "Hello." }] }.freeze

  def post(path, body, headers = {}, &block)
    request = Net::HTTP::Post.new(path, { "content-type" => "application/json", "x-antiphon-session" => name }.merge(headers))
    request.body = JSON.generate(body)
    Net::HTTP.start(SERVER.host, SERVER.port) { |http| http.request(request, &block) }
  end

  def say(headers = {}, prefix = "openai")
    JSON.parse(post("/#{prefix}/v1/chat/completions", HELLO, headers).body).dig("choices", 0, "message", "content")
  end

  def test_equal_requests_are_answered_in_recorded_order_in_each_session_by_itself
    elsewhere = { "x-antiphon-session" => "#{name} elsewhere" }
    assert_equal %w[one one two], [say, say(elsewhere), say]
  end

  def test_a_stream_arrives_whole
    text = +""
    post("/openai/v1/chat/completions", HELLO.merge(stream: true)) do |response|
      assert_equal "text/event-stream; charset=utf-8", response["content-type"]
      response.read_body { |piece| text << piece }
    end
    events = text.force_encoding("UTF-8").split("\n\n").map { |event| event.delete_prefix("data: ") }
    assert_equal "[DONE]", events.pop
    said = events.map { |event| JSON.parse(event).dig("choices", 0, "delta", "content") }
    assert_equal ["la ", "la ", "là 🎶"], said
  end

  def test_a_miss_is_a_404_that_says_what_differs
    response = post("/openai/v1/chat/completions", HELLO.merge(model: "tiny-2"))
    assert_equal "404", response.code
    told = JSON.parse(response.body)
    assert_equal "recording_missing", told.dig("error", "type")
    assert_match(/model/, told.dig("antiphon", "differences").join)
  end

  def test_a_cut_on_request_breaks_the_connection
    assert_raises(EOFError, Errno::ECONNRESET) { say({ "x-antiphon-fault" => "reset" }) }
  end

  def test_what_passes_through_is_recorded_and_replays
    said = %w[record replay].map do |mode|
      say({ "x-antiphon-mode" => mode, "x-antiphon-cassette" => "local/from-ruby" }, "local")
    end
    assert_equal ["from afar", "from afar"], said
  end
end
