"""How spoken answers sound: one voice, or one for each speaker of a conversation."""

from __future__ import annotations

from antiphon.v1 import chat_pb2
from antiphon.wire.fields import object_at, objects, whole_text
from antiphon.wire.gemini.writer import Writer
from antiphon.wire.jsontext import JsonObject

_VOICE, _PREBUILT, _NAME = "voiceConfig", "prebuiltVoiceConfig", "voiceName"
_MULTI, _SPEAKERS = "multiSpeakerVoiceConfig", "speakerVoiceConfigs"


def lift_speech(speech: JsonObject, spec: chat_pb2.ChatSpec) -> None:
    """Set the voices of `spec` from `speechConfig`."""
    if isinstance(voice := _voice(speech), str):
        spec.audio.voice = whole_text(voice)
    if isinstance(speech.get("languageCode"), str):
        spec.audio.language_code = whole_text(speech["languageCode"])
    for item in objects(object_at(speech, _MULTI).get(_SPEAKERS)):
        speaker, voice = item.get("speaker"), _voice(item)
        spec.audio.speakers.add(
            speaker=whole_text(speaker) if isinstance(speaker, str) else "",
            voice=whole_text(voice) if isinstance(voice, str) else "",
        )


def lower_speech(audio: chat_pb2.AudioOutput, writer: Writer) -> JsonObject:
    """`speechConfig`."""
    speech: JsonObject = {_VOICE: {_PREBUILT: {_NAME: audio.voice}}} if audio.voice else {}
    if audio.language_code:
        speech["languageCode"] = audio.language_code
    if audio.speakers:
        speech[_MULTI] = {
            _SPEAKERS: [{"speaker": item.speaker, _VOICE: {_PREBUILT: {_NAME: item.voice}}} for item in audio.speakers]
        }
    if audio.format:
        writer.unsupported("spec.audio.format", "Gemini answers with plain samples (audio/L16) only")
    return speech


def _voice(config: JsonObject) -> object:
    return object_at(object_at(config, _VOICE), _PREBUILT).get(_NAME)
